#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Once: the user of the local AWS that Coffer acts as, and its key.
set -eu
umask 077
[ ! -s /run/aws/key ] || exit 0
/opt/aws/bin/python /opt/aws/aws.py http://aws:5000 wait
/opt/aws/bin/python /opt/aws/aws.py http://aws:5000 bootstrap >/run/aws/key.new
mv /run/aws/key.new /run/aws/key
