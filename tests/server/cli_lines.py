# SPDX-License-Identifier: Apache-2.0
"""The command lines that test_bao_cli.py plays, scene by scene, and what may differ.

    * kv get kv/a                      in each format: as a table, as JSON, as YAML
    token create -format=json => $t=auth.client_token
                                       keeps a field of the JSON (or, without a path, all that was printed) as $t
    policy write a - < path "x" {}     what is given on standard input

A scene begins with an empty home and $root, a root token; with `new` in its name, on a server that nobody has initialised.
"""

SCENES = {
    "logins": """
        login $root
        * login -no-store $root
        login bad
        login -token-only $root
        login -no-print $root
        print token => $printed
        auth enable userpass
        auth enable -path=people -description=staff userpass
        auth enable userpass
        * auth list
        * auth list -detailed
        write auth/userpass/users/bob password=pw token_policies=default token_ttl=1h
        * read auth/userpass/users/bob
        * list auth/userpass/users
        list auth/people/users
        * login -no-store -method=userpass username=bob password=pw
        login -no-store -field=token_policies -method=userpass username=bob password=pw
        login -no-store -method=userpass username=bob password=bad
        login -no-store -method=userpass username=nobody password=bad
        login -no-store -method=userpass -path=people username=bob password=pw
        login -no-store -wrap-ttl=5m -method=userpass username=bob password=pw
        login -method=userpass username=bob password=pw
        * token lookup
        auth list
        login $root
        write auth/userpass/users/bob/password password=other
        write auth/userpass/users/bob/policies token_policies=a,b
        read -field=token_policies auth/userpass/users/bob
        delete auth/userpass/users/bob
        read auth/userpass/users/bob
        auth tune -default-lease-ttl=1h -max-lease-ttl=2h -description=ours userpass
        auth tune nope/
        * read sys/auth/userpass/tune
        auth disable people
        auth disable people
        auth disable userpass
        login -method=nope
    """,
    "approle": """
        login $root
        auth enable approle
        write auth/approle/role/app token_policies=default token_ttl=10m token_max_ttl=1h secret_id_num_uses=3
        * read auth/approle/role/app
        * list auth/approle/role
        read -field=role_id auth/approle/role/app/role-id => $role
        * read auth/approle/role/app/role-id
        write -f -format=json auth/approle/role/app/secret-id => $secret=data.secret_id $acc=data.secret_id_accessor
        * write -f auth/approle/role/app/secret-id
        * write auth/approle/login role_id=$role secret_id=$secret
        write -field=token auth/approle/login role_id=$role secret_id=$secret
        write auth/approle/login role_id=$role secret_id=$secret
        write auth/approle/login role_id=$role secret_id=nonsense
        write auth/approle/login role_id=nonsense secret_id=nonsense
        write auth/approle/login role_id=$role
        write -format=json -f auth/approle/role/app/secret-id metadata={"a":"b"} => $secret=data.secret_id $acc=data.secret_id_accessor
        * write auth/approle/role/app/secret-id/lookup secret_id=$secret
        * write auth/approle/role/app/secret-id-accessor/lookup secret_id_accessor=$acc
        write auth/approle/role/app/secret-id-accessor/destroy secret_id_accessor=$acc
        write auth/approle/role/app/secret-id/lookup secret_id=$secret
        write auth/approle/role/app token_ttl=20m
        read -field=token_ttl auth/approle/role/app
        delete auth/approle/role/app
        read auth/approle/role/app
        list auth/approle/role
        auth disable approle
    """,
    "kv": """
        login $root
        secrets enable -path=kv -version=2 -description=mine kv
        secrets enable -path=old kv
        secrets enable -path=old kv
        secrets enable nope
        * secrets list
        * secrets list -detailed
        * kv put kv/a x=1 y=two
        kv put -cas=0 kv/a x=1
        kv put -mount=kv b z=- < from stdin
        * kv get kv/a
        * kv get -version=1 kv/a
        kv get -field=y kv/a
        kv get -field=nope kv/a
        kv get -format=json -field=y kv/a
        kv get kv/nothing
        * kv list kv
        * kv list kv/nothing
        kv patch kv/a y=three w=4
        kv patch -method=rw kv/a y=four
        kv patch -remove-data=w kv/a
        * kv get kv/a
        kv metadata put -max-versions=9 -custom-metadata=owner=me -delete-version-after=1h kv/a
        * kv metadata get kv/a
        kv metadata patch -custom-metadata=more=x -remove-custom-metadata=owner kv/a
        * kv metadata get -mount=kv a
        kv metadata get kv/nothing
        kv delete kv/a
        * kv get kv/a
        kv undelete -versions=2,4,6 kv/a
        kv destroy -versions=1 kv/a
        kv get -version=1 kv/a
        kv rollback -version=2 kv/a
        kv get -field=y kv/a
        kv delete -versions=2 kv/a
        kv metadata delete kv/a
        kv get kv/a
        kv put old/a b=c
        * kv get old/a
        * kv list old
        kv patch old/a b=c
        kv metadata get old/a
        kv undelete -versions=1 old/a
        kv delete old/a
        kv get old/a
        write old/deep - < {"a": {"b": [1, 2.5, true, null]}, "big": 12345678901234567, "my_ttl": 5400}
        * read old/deep
        read -field=a old/deep
        delete old/deep
        read old/deep
        kv enable-versioning old
        secrets tune -default-lease-ttl=1h -max-lease-ttl=2h kv
        * read sys/mounts/kv/tune
        secrets tune nope
        secrets move old moved
        secrets disable moved
        secrets disable moved
        kv get moved/a
        * kv put -wrap-ttl=5m kv/w a=b
        kv get -wrap-ttl=5m -field=wrapping_token kv/w => $wrap
        unwrap -field=wrapping_token $wrap
        unwrap $wrap
        read -wrap-ttl=5m -format=json kv/data/w => $wrap=wrap_info.token
        * write sys/wrapping/lookup token=$wrap
        * read sys/wrapping/lookup
        unwrap -field=data $wrap
        secrets disable kv
    """,
    "policies and tokens": """
        login $root
        * policy list
        policy write app - < path "cubbyhole/*" { capabilities = ["read", "list"] }
        policy write BIG - < path "x" { capabilities = ["read"] }
        policy write broken - < path "x" { capabilities = ["nonsense"] }
        policy write broken - < path "x"
        * policy read app
        policy read nope
        * policy list
        policy delete big
        policy delete big
        policy delete default
        policy read root
        policy write root - < path "x" { capabilities = ["read"] }
        * token create -policy=app -ttl=90m
        * token create -policy=app -display-name=x -metadata=a=b -metadata=c=d
        token create -orphan -no-default-policy -policy=a -policy=b -use-limit=5 -explicit-max-ttl=1h
        token create -period=1h -renewable=false
        * token create -type=batch -ttl=1h -policy=app
        token create -role=nope
        token create -id=with.dot
        write auth/token/roles/r allowed_policies=app period=1h
        * read auth/token/roles/r
        * list auth/token/roles
        * token create -role=r -policy=app
        token create -role=r -policy=other
        delete auth/token/roles/r
        token create -format=json -policy=app -ttl=1h -explicit-max-ttl=2h => $t=auth.client_token $acc=auth.accessor
        * token lookup $t
        * token lookup -accessor $acc
        token lookup bad
        token lookup -accessor bad
        * token renew -increment=5m $t
        token renew bad
        token renew -accessor $acc
        * token capabilities $t cubbyhole/x
        token capabilities $t nothing/at/all
        token capabilities cubbyhole/x
        token capabilities bad cubbyhole/x
        login $t
        token renew
        read cubbyhole/nothing
        write cubbyhole/x a=b
        policy list
        secrets list
        token revoke -self
        token lookup
        login $root
        token create -format=json -policy=app => $t=auth.client_token $acc=auth.accessor
        token revoke -accessor $acc
        token revoke -accessor $acc
        token lookup $t
        token create -format=json -policy=app => $t=auth.client_token
        token revoke -mode=orphan $t
        token revoke $t
        token revoke
        token revoke -mode=bad $t
        policy delete app
    """,
    "leases": """
        login $root
        auth enable userpass
        write auth/userpass/users/bob password=pw token_ttl=1h
        write -f -format=json auth/userpass/login/bob password=pw => $acc=auth.accessor
        list -format=json sys/leases/lookup/auth/userpass/login/bob => $id=0
        * list sys/leases/lookup/auth/userpass/login
        * lease lookup auth/userpass/login/bob/$id
        lease lookup nonsense
        * lease renew -increment=30m auth/userpass/login/bob/$id
        lease renew nonsense
        lease revoke auth/userpass/login/bob/$id
        lease revoke -sync nonsense
        lease revoke -prefix auth/userpass
        lease revoke -sync -prefix auth/userpass
        lease revoke -force -sync -prefix auth/userpass
        lease revoke -force auth/userpass
        auth disable userpass
        * plugin list
        * plugin list -detailed auth
        plugin list nope
        * plugin info auth userpass
        plugin info -field=builtin auth userpass
        plugin info auth nope
        * write sys/tools/hash input=aGVsbG8=
        * read sys/health
        read sys/nothing
        path-help nothing/here
        * audit list
        audit enable file file_path=discard
        * audit list
        * audit list -detailed
        audit enable file file_path=discard
        audit enable nope
        audit disable file
        audit disable file
    """,
    "new: operator": """
        * status
        * operator init -status
        operator key-status
        operator unseal nonsense
        operator init -key-shares=1 -key-threshold=2
        operator init -format=json -key-shares=3 -key-threshold=2 => $one=unseal_keys_b64.0 $two=unseal_keys_b64.1 $three=unseal_keys_hex.2 $root=root_token
        operator init
        * operator init -status
        * status
        login $root
        operator unseal -format=json $one
        status
        operator unseal -reset
        * operator unseal $one
        operator unseal $two
        until HA Mode +active status
        * status
        status -field=sealed
        login $root
        * operator key-status
        * operator rotate
        * operator members
        operator rekey -status
        operator rekey $one
        operator rekey -init -format=json -key-shares=1 -key-threshold=1 => $nonce=nonce
        * operator rekey -status
        operator rekey -init
        operator rekey -nonce=$nonce nonsense
        * operator rekey -nonce=$nonce $one
        operator rekey -format=json -nonce=$nonce $two => $new=keys_base64.0
        operator rekey -status
        operator rekey -init -verify -key-shares=1 -key-threshold=1 -format=json => $nonce=nonce
        operator rekey -nonce=$nonce -format=json $new => $newer=keys_base64.0 $check=verification_nonce
        * operator rekey -verify -status
        operator rekey -verify -nonce=$check $newer
        operator rekey -init -key-shares=2 -key-threshold=2
        operator rekey -cancel
        operator rekey -cancel
        operator rotate-keys -init -format=json -key-shares=1 -key-threshold=1 => $nonce=nonce
        * operator rotate-keys -status
        operator rotate-keys -format=json -nonce=$nonce $newer => $newer=keys_base64.0
        operator rotate-keys -cancel
        operator generate-root -status
        operator generate-root -generate-otp => $otp
        operator generate-root -init -format=json -otp=$otp => $nonce=nonce
        * operator generate-root -status
        operator generate-root -nonce=$nonce nonsense
        operator generate-root -format=json -nonce=$nonce $newer => $encoded=encoded_token
        operator generate-root -decode=$encoded -otp=$otp => $root
        login $root
        * token lookup
        operator generate-root -init
        operator generate-root -cancel
        operator generate-root -cancel
        operator raft remove-peer nobody
        operator raft remove-peer
        operator raft promote nobody
        operator raft demote nobody
        operator raft join https://127.0.0.1:1
        * operator raft list-peers
        * operator raft autopilot get-config
        operator raft autopilot set-config -max-trailing-logs=2000 -last-contact-threshold=15s
        operator raft autopilot get-config
        operator raft autopilot state
        operator raft autopilot state -format=json
        operator raft snapshot save a.snap
        operator raft snapshot save nowhere/a.snap
        operator raft snapshot restore nothing.snap
        operator raft snapshot restore -force a.snap
        operator step-down
        until HA Mode +active status
        operator seal
        status
        * operator unseal $newer
        operator seal -format=json
    """,
}
