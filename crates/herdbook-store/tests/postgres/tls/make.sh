#!/bin/sh
# Makes the certificates of the TLS tests, good for a hundred years. Run once; its output is checked in.
set -eu
cd "$(dirname "$0")"
for root in root stranger; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj "/CN=herdbook test $root" \
        -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign" -keyout "$root.key" -out "$root.crt"
done
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=localhost" -keyout server.key -out server.csr
printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n' > server.ext
openssl x509 -req -in server.csr -CA root.crt -CAkey root.key -CAcreateserial -days 36500 -extfile server.ext -out server.crt
# Only the server's key is kept.
rm -f root.key stranger.key server.csr server.ext root.srl
