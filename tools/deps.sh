#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
#
# Installs the Debian packages named as arguments, those that are missing only: when all are there
# nothing is asked of apt, so that a second run is instant and works without a network.
set -eu

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "deps: this is not a Debian system; install the equivalents of: $*" >&2
    exit 0
fi

missing=()
for package in "$@"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "deps: missing ${missing[*]}; install them as root (there is no sudo here)" >&2
        exit 1
    fi
    root=(sudo)
fi

echo "deps: installing ${missing[*]}"
apt_get=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q)
# A repository of the user's that cannot be reached must not stop the installation from the others.
"${apt_get[@]}" update || echo "deps: apt-get update failed, trying with the lists at hand" >&2
"${apt_get[@]}" install -y --no-install-recommends "${missing[@]}"
