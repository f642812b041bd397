#!/bin/sh
# make-deb.sh TARBALL VERSION DIRECTORY: Debian packages out of the source archive, unsigned, into DIRECTORY. The archive carries
# its packaging in packaging/debian; here it becomes debian/.
set -eu

tarball=$1
version=$2
directory=$3

rm -rf "$directory"
mkdir -p "$directory"
cp "$tarball" "$directory/statsidecar_$version.orig.tar.gz"
tar -xzf "$tarball" -C "$directory"
cp -a "$directory/statsidecar-$version/packaging/debian" "$directory/statsidecar-$version/debian"
cd "$directory/statsidecar-$version"
# Flags of the make that runs this are not for that of the packages.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
dpkg-buildpackage -us -uc ${DPKG_BUILDPACKAGE_FLAGS-}
