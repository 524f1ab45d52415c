#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
#
# unpack.sh FOLDER PACKAGE: unpacks a Debian package below a folder instead of installing it, for
# servers: one that is installed is started too, on the ports that it likes. Needs no privileges.
# What the package depends on has to be there. Once unpacked it is left alone, so that a second run
# is instant and works without a network.
set -eu

folder=$1 package=$2
[ ! -e "$folder/.unpacked" ] || exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "unpack: this is not a Debian system; install the equivalent of: $package" >&2
    exit 0
fi

rm -rf "$folder"
mkdir -p "$folder"
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
if ! (cd "$here" && apt-get -q -o APT::Sandbox::User="$(id -un)" download "$package") \
    >"$here/log" 2>&1; then
    cat "$here/log" >&2
    echo "unpack: cannot fetch $package; try: apt-get update" >&2
    exit 1
fi
dpkg-deb -x "$here"/*.deb "$folder"
touch "$folder/.unpacked"
