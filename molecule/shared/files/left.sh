#!/bin/sh
# Lists what is left of the lab on this machine, a line each; nothing is right. usage: left.sh <.lab directory>
# The caches (the engine's images, the cache outside the checkout) and .lab/artefacts are meant to stay.
set -eu
docker ps --all --filter name=estate-lab --format 'container {{.Names}}'
docker volume ls --filter name=estate-lab --format 'volume {{.Name}}'
docker network ls --filter name=estate-lab --format 'network {{.Name}}'
sed -n '/retailerp.estate lab/s/^/name: /p' /etc/hosts
find "$1" -mindepth 1 -maxdepth 1 ! -name artefacts 2>/dev/null || true
