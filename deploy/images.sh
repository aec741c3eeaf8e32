#!/bin/sh
# Build the images of all services, and tell the size of each and how long its service takes to start.
# BASE names another base image, LIGHTFLOW_TAG another tag; arguments go to `docker build` as they are.
set -eu
cd "$(dirname "$0")/.."
tag=${LIGHTFLOW_TAG:-2.0.0}
revision=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
for service in scheduler dag-runner task-worker; do
  image=lightflow-$service:$tag
  docker build -q ${BASE:+--build-arg "BASE=$BASE"} --build-arg "REVISION=$revision" "$@" \
    -f "services/$service/Dockerfile" -t "$image" . >/dev/null
  # From the start of the interpreter until all is loaded: what follows depends on MongoDB.
  module=lightflow_$(echo "$service" | tr - _).wiring
  started='import time; born = int(open("/proc/self/stat").read().rpartition(")")[2].split()[19]) / 100'
  took=$(docker run --rm --read-only --network none --entrypoint python "$image" -P -c \
    "import $module; $started; print(f'{time.clock_gettime(time.CLOCK_BOOTTIME) - born:.1f}')")
  size=$(docker image inspect --format '{{.Size}}' "$image")
  echo "$image: $((size / 1000000)) MB, starts in $took s"
done
