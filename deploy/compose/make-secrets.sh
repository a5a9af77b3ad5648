#!/bin/sh
# Makes the secrets of compose.yaml that can be made up; what is there already stays. The folder is the owner's alone;
# the files in it are readable, for the users inside of the containers have other numbers.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets

random() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

write() {
    printf '%s' "$2" > "secrets/$1"
    chmod 0444 "secrets/$1"
}

if [ ! -e secrets/postgres-password ]; then
    password=$(random)
    write postgres-password "$password"
    write store "postgresql://flyball:$password@postgres:5432/flyball"
fi
[ -e secrets/token ] || write token "$(random)"
if [ ! -s secrets/flywheel-key ]; then
    : > secrets/flywheel-key
    chmod 0644 secrets/flywheel-key
    echo "now write the Flywheel API key (host:key) into $(pwd)/secrets/flywheel-key"
fi
