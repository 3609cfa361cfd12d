#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: tools/deb.sh
#
# build/weir_VERSION_ARCH.deb: the program, its library, the man page, completions, a unit for systemd and its configuration.
# WEIR_DEB_VERSION: another version than CMakeLists.txt says.
set -eu
cd "$(dirname "$0")/.."

tools/setup.sh build deb
tools/build.sh release weir

version=${WEIR_DEB_VERSION:-$(sed -n 's/^project(weir VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)}
arch=$(dpkg --print-architecture)
stage=$PWD/build/deb
root=$stage/root
package=build/weir_${version}_$arch.deb

rm -rf "$stage"
mkdir -p "$root/DEBIAN" "$stage/debian"
DESTDIR=$root cmake --install build/release --prefix /usr --strip >/dev/null
mkdir -p "$root/etc/weir"
mv "$root/usr/share/doc/weir/weir.conf" "$root/etc/weir/"
install -D -m 0644 packaging/debian/copyright "$root/usr/share/doc/weir/copyright"
gzip -9nc CHANGELOG.md >"$root/usr/share/doc/weir/changelog.gz"
gzip -9n "$root/usr/share/man/man1/weir.1"
mv "$root/usr/share/zsh/site-functions" "$root/usr/share/zsh/vendor-completions"
chmod 0644 "$root/usr/lib/weir/libduckdb.so"

# What it needs is read from the programs. The library that comes with them has no package.
printf 'Source: weir\n\nPackage: weir\nArchitecture: any\n' >"$stage/debian/control"
depends=$(cd "$stage" && dpkg-shlibdeps -O --ignore-missing-info -xweir "-l$root/usr/lib/weir" \
	-e"$root/usr/bin/weir" -e"$root/usr/lib/weir/libduckdb.so" 2>"$stage/shlibdeps.log") || {
	cat "$stage/shlibdeps.log" >&2
	exit 1
}

for script in postinst prerm postrm; do
	install -m 0755 "packaging/debian/$script" "$root/DEBIAN/$script"
done
echo /etc/weir/weir.conf >"$root/DEBIAN/conffiles"
cat >"$root/DEBIAN/control" <<END
Package: weir
Version: $version
Architecture: $arch
Maintainer: the authors of weir <weir@localhost>
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Depends: adduser, ${depends#shlibs:Depends=}
Section: net
Priority: optional
Description: OpenTelemetry backend in one program
 Takes traces, logs and metrics over OTLP, writes them to disk before it says
 yes, keeps each exactly once, and answers questions about them over REST and
 on the command line. With an embedded DuckDB; needs no other service.
END
(cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
dpkg-deb --root-owner-group -Zxz --build "$root" "$package" >/dev/null
echo "$package"
