#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: tests/golden/tls/make.sh
#
# Makes the certificates and keys of the tests anew, in this folder; tests only read them. They are valid until 2099
# and protect nothing. Needs the openssl command.
#
#     ca           signs server, second, other-host, client, expired, early and middle
#     server       localhost, 127.0.0.1, ::1; second is another one for the same names, for a reload
#     other-host   for elsewhere.invalid only
#     chain        a server's, signed by middle, which comes with it
#     expired      its time is over; early: its time is yet to come
#     client       for clients; stranger: the same, of a CA that nobody knows (other-ca)
#     locked.key   server.key under a passphrase
#     weak         a server's with a key too short to be taken
set -eu
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
begin=20200101000000Z
end=20990101000000Z

key() {
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"
}

# config CA: what `openssl ca` wants to be told.
config() {
	mkdir -p "$work/$1"
	: >"$work/$1/index"
	cat >"$work/$1/conf" <<-END
		[ca]
		default_ca = it
		[it]
		database = $work/$1/index
		new_certs_dir = $work/$1
		rand_serial = yes
		default_md = sha256
		policy = any
		unique_subject = no
		[any]
		commonName = supplied
	END
}

# sign NAME CA CN FROM TO EXTENSION...: NAME.pem for NAME.key
sign() {
	name=$1 ca=$2 cn=$3 from=$4 to=$5
	shift 5
	printf '%s\n' "$@" >"$work/ext"
	openssl req -new -key "$name.key" -subj "/CN=$cn" -out "$work/req"
	self=
	[ "$name" != "$ca" ] || self=-selfsign
	# shellcheck disable=SC2086 # nothing or one word
	openssl ca -batch -notext -config "$work/$ca/conf" -cert "$ca.pem" -keyfile "$ca.key" $self \
		-startdate "$from" -enddate "$to" -extfile "$work/ext" -in "$work/req" -out "$name.pem" 2>"$work/log" || {
		cat "$work/log" >&2
		exit 1
	}
}

here=subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1
for ca in ca other-ca; do
	key $ca
	config $ca
	sign $ca $ca "weir test $ca" $begin $end basicConstraints=critical,CA:TRUE keyUsage=keyCertSign
done
for name in server second; do
	key $name
	sign $name ca "weir test $name" $begin $end $here extendedKeyUsage=serverAuth
done
key other-host
sign other-host ca "weir test other-host" $begin $end subjectAltName=DNS:elsewhere.invalid
key expired
sign expired ca "weir test expired" $begin 20210101000000Z $here
key early
sign early ca "weir test early" 20980101000000Z $end $here
key client
sign client ca "weir test client" $begin $end extendedKeyUsage=clientAuth
key stranger
sign stranger other-ca "weir test stranger" $begin $end extendedKeyUsage=clientAuth
key middle
config middle
sign middle ca "weir test middle" $begin $end basicConstraints=critical,CA:TRUE keyUsage=keyCertSign
key chain
sign chain middle "weir test chain" $begin $end $here
cat middle.pem >>chain.pem
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out weak.key 2>/dev/null
sign weak ca "weir test weak" $begin $end $here
openssl pkey -in server.key -aes256 -passout pass:secret -out locked.key
rm -f ca.key other-ca.key middle.key middle.pem
