#!/bin/bash
# Healthy is a MongoDB that takes connections, once mongo-ready.js has done its work with the secrets of today: that is
# remembered beside the data, because MongoDB's shell takes seconds to start.
today=$(cat /run/secrets/mongo_password /run/secrets/mongo_root_password /config/mongo-ready.js | sha256sum)
if [ "$(cat /data/db/lightflow-ready 2>/dev/null)" = "$today" ]; then
  exec 3<>/dev/tcp/127.0.0.1/27017
fi
mongosh --quiet --norc --file /config/mongo-ready.js && echo "$today" > /data/db/lightflow-ready
