#!/bin/sh
# Make the secrets of deploy/compose.yaml that are not there yet, in deploy/secrets or the folder that is named.
# Nobody else on this machine can enter the folder; in it the files are readable, because containers have users of their own.
set -eu
folder=${1:-${LIGHTFLOW_SECRETS:-$(dirname "$0")/secrets}}
mkdir -p -m 700 "$folder"
for name in signing_key redis_password mongo_password mongo_root_password; do
  file=$folder/$name
  [ -s "$file" ] && continue
  od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > "$file"
  chmod 444 "$file"
done
echo "The secrets are in $folder."
