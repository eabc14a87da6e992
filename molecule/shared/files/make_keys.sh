#!/bin/sh
# Makes what the lab signs and signs in with, unless it is there; prints the name of what it made.
# usage: make_keys.sh LAB-FOLDER SERVICE...      (names of the services on ops1, without the domain)
set -eu
umask 077
folder=$1
shift
mkdir -p "$folder/hosts" "$folder/names" "$folder/ops1" "$folder/trust"
cd "$folder"

secret() { # secret FILE: forty random letters and digits
  [ -e "$1" ] && return
  tr -dc 'A-Za-z0-9' </dev/urandom | head -c 40 >"$1"
  echo "$1"
}
secret vault_password
secret ops1/entra_client_secret # the sign-in stand-in reads it here; create.yml puts the same into the estate's vault

for each in root host keeper; do secret ops1/s3_$each; done # of the S3 store's administrator, and of the two identities of backups

# The operator's, for estates that have backups: only its public part goes into the estate's file.
if [ ! -e recovery.key ] && command -v age-keygen >/dev/null; then
  age-keygen -o recovery.key 2>/dev/null
  age-keygen -y recovery.key >recovery.pub
  echo recovery.key
fi

if [ ! -e ssh_key ]; then
  ssh-keygen -q -t ed25519 -N '' -C 'retailerp.estate lab' -f ssh_key
  echo ssh_key
fi

certificate() { # certificate NAME SUBJECT OPTION...: an elliptic key and its certificate, valid ten years
  [ -e "$1.pem" ] && return
  name=$1 subject=$2
  shift 2
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 3650 -subj "$subject" \
    -keyout "$name.key" -out "$name.pem" "$@"
  echo "$name.pem"
}
certificate ca '/CN=retailerp.estate lab root' \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
certificate ops1/tls /CN=lab.test -CA ca.pem -CAkey ca.key -addext basicConstraints=critical,CA:FALSE \
  -addext extendedKeyUsage=serverAuth -addext "subjectAltName=$(printf 'DNS:%s.lab.test,' "$@" | sed 's/,$//')"

# The bundle of roots that callers trust. ops1 completes it whenever its ACME authority starts, with a new root: images/ops.
if [ ! -e trust/root.pem ]; then
  cp ca.pem trust/lab.pem
  cp ca.pem trust/root.pem
  ln -sf trust/root.pem root.pem
fi
chmod 0644 ca.pem trust/*.pem
