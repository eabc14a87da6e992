#!/bin/sh
# Starts the lab's name server, unless it runs from this very image.
# usage: start_resolver.sh IMAGE NAMES-FOLDER PRIVATE-ADDRESS PUBLIC-ADDRESS
# Names come from the files in the folder, read whenever one appears or changes; all else goes to the machine's own resolvers.
set -eu
name=estate-lab-dns
running=$(docker container inspect --format '{{.State.Running}} {{.Config.Image}}' $name 2>/dev/null || true)
if [ "$running" = "true $1" ]; then exit 0; fi
docker rm --force $name >/dev/null 2>&1 || true
docker create --name $name --label estate-lab --restart unless-stopped --network estate-lab-private --ip "$3" \
  --cap-add NET_ADMIN --volume "$2":/names:ro "$1" --hostsdir=/names --domain-needed --local=/lab.test/ >/dev/null
docker network connect --ip "$4" estate-lab-public $name
docker start $name >/dev/null
echo created
