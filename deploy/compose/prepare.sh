#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Once, before the nodes start: the key that unseals them, an authority, and one certificate for all names in here.
set -eu
cd /run/coffer-tls
[ ! -e node.pem ] || exit 0
umask 077

openssl rand -out unseal.key 32
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 3650 -subj "/CN=Coffer compose" \
    -keyout ca.key -out ca.pem
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "/CN=coffer" -keyout node.key -out node.csr
printf 'subjectAltName=DNS:node1,DNS:node2,DNS:node3,DNS:haproxy,DNS:localhost,IP:127.0.0.1\n' >names
openssl x509 -req -in node.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile names -out node.tmp
chmod 0644 ca.pem
rm -f ca.key ca.srl node.csr names
mv node.tmp node.pem
