#!/bin/sh
# Starts one host of the lab, unless it runs, lets the operator's key in, and notes in the lab's folder how it is reached:
# hosts/NAME.ssh_config, hosts/NAME.known_hosts and (from standard input) names/NAME. Prints "created" for a new host.
# usage: start_host.sh LAB-FOLDER NAME IMAGE PRIVATE-ADDRESS PUBLIC-ADDRESS|- [docker option ...] <names
set -eu
folder=$1 host=$2 image=$3 private=$4 public=$5
name=estate-lab-$host
shift 5

cat >"$folder/hosts/$host.names"
# Written only when it differs: the name server and the controller's /etc/hosts follow this file.
cmp --quiet "$folder/hosts/$host.names" "$folder/names/$host" || cp "$folder/hosts/$host.names" "$folder/names/$host"

if ! docker container inspect "$name" >/dev/null 2>&1; then
  # The options that suit this machine, one a line, become this script's arguments.
  while IFS= read -r option; do set -- "$@" "$option"; done <"$folder/docker_options"
  docker create --name "$name" --hostname "$host" --label estate-lab="$folder" --restart unless-stopped \
    --network estate-lab-private --ip "$private" --env container=docker --env LAB_NAMESERVER=10.77.0.2 \
    --sysctl net.ipv4.ip_forward=1 --tmpfs /run --tmpfs /run/lock --tmpfs /tmp \
    --volume "$name-docker":/var/lib/docker "$@" "$image" >/dev/null
  if [ "$public" != - ]; then docker network connect --ip "$public" estate-lab-public "$name"; fi
  echo created
fi
docker start "$name" >/dev/null

tries=0
until docker exec "$name" systemctl --quiet is-active ssh.service 2>/dev/null; do
  tries=$((tries + 1))
  if [ $tries -gt 240 ]; then
    echo "SSH on $host does not run after 60 s:" >&2
    docker exec "$name" systemctl --no-pager status ssh.service >&2
    exit 1
  fi
  sleep 0.25
done
docker exec --interactive --user ansible "$name" sh -c 'umask 077; cat > ~/.ssh/authorized_keys' <"$folder/ssh_key.pub"

umask 077
key=$(docker exec "$name" cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)
echo "$host $key" >"$folder/hosts/$host.known_hosts"
cat >"$folder/hosts/$host.ssh_config" <<CONFIG
Host $host $private
  HostName $private
  HostKeyAlias $host
  User ansible
  IdentityFile "$folder/ssh_key"
  IdentitiesOnly yes
  UserKnownHostsFile "$folder/known_hosts"
  StrictHostKeyChecking yes
CONFIG
