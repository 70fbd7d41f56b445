# SPDX-License-Identifier: Apache-2.0
"""The differences that are wanted. What differs and is not here is a bug; what is here and no longer differs, too."""
import dataclasses
import re

OTHER_SERVER, OTHER_CLIENT = "bao on Coffer", "coffer on OpenBao"


@dataclasses.dataclass(frozen=True)
class Wanted:
    why: str
    run: str            # whose difference from bao on OpenBao it is
    lines: str          # pattern of the command line, whole
    places: str         # pattern of the place in what was printed, whole
    scenes: tuple = ()  # in each of which it must be seen

    def covers(self, scene, run, line, place):
        return (not self.scenes or scene in self.scenes) and self.run == run \
            and bool(re.fullmatch(self.lines, str(line))) and bool(re.fullmatch(self.places, place))


_ALL = ("logins", "approle", "kv", "policies and tokens", "leases", "new: operator")

WANTED = [
    # ---- What each server is ----
    Wanted("Each says its own version.", OTHER_SERVER, "(status|operator (unseal|members)|read .*sys/health).*",
           r"(.*\.)?(Version|version|Upgrade Version|upgrade_version)", ("leases", "new: operator")),
    Wanted("The version of the one and of the other.", OTHER_SERVER, "(auth|secrets) list.*",
           r".*/\.(Running Version|running_plugin_version)", ("logins", "kv")),
    Wanted("Each has what is built into it.", OTHER_SERVER, "plugin list.*", ".*", ("leases",)),
    Wanted("The version of the one and of the other.", OTHER_SERVER, "plugin info.*", "version", ("leases",)),
    Wanted("Vault gives the time of its build, OpenBao that of its last commit.", OTHER_SERVER, "(status|operator unseal).*",
           "Commit Date|Build Date|commit_date|build_date", ("new: operator",)),
    Wanted("Fields of Vault, and whether the disk has room.", OTHER_SERVER, "read .*sys/health",
           r"(data\.)?(clock_skew_ms|echo_duration_ms|enterprise|performance_standby|disk_space|replication_performance_mode)",
           ("leases",)),
    Wanted("There is no identity engine yet.", OTHER_SERVER, "secrets list.*", r"identity/.*", ("kv",)),
    Wanted("There are no entities yet, so a login makes none.", OTHER_SERVER, ".*", r"(.*\.)?entity_id",
           ("logins", "approle", "leases")),
    Wanted("There is no seal that wraps, and no use for what a client accepts.", OTHER_SERVER, "secrets list.*",
           r"sys/\.(seal_wrap|Seal Wrap|config\.passthrough_request_headers\.0)", ("kv",)),
    Wanted("Nodes are known by their ids; OpenBao knows them by their machines.", OTHER_SERVER, "operator members.*",
           r"(node1|[\w.-]+)\.(Host Name|API Address|Cluster Address|Active Node|Last Echo)|Nodes\.0\.hostname",
           ("new: operator",)),
    Wanted("Places in each server's own log.", OTHER_SERVER, "(status|operator unseal).*",
           r"Raft (Committed|Applied) Index|raft_(committed|applied)_index"),
    Wanted("The same.", OTHER_CLIENT, "(status|operator unseal).*",
           r"Raft (Committed|Applied) Index|raft_(committed|applied)_index"),
    Wanted("Coffer is active when the last key has been given; OpenBao a moment later.", OTHER_SERVER, r"operator unseal.*",
           "HA Cluster|HA Mode|Active Since|active_time|is_self|leader_(cluster_)?address|Active Node Address",
           ("new: operator",)),
    Wanted("Whether OpenBao is active by then is chance.", OTHER_CLIENT, r"operator unseal.*",
           "HA Cluster|HA Mode|Active Since|active_time|is_self|leader_(cluster_)?address|Active Node Address"),
    Wanted("Coffer counts them in storage, not the writes of its own start.", OTHER_SERVER, "operator (key-status|rotate).*",
           "Encryption Count|encryptions", ("new: operator",)),
    Wanted("OpenBao says the path twice.", OTHER_SERVER, "policy write broken -", "stderr", ("policies and tokens",)),
    Wanted("A root token has two letters more, as Vault's.", OTHER_SERVER, "operator generate-root.*",
           "OTP Length|OTP|otp|otp_length", ("new: operator",)),
    Wanted("The OTP that is made up.", OTHER_CLIENT, "operator generate-root -init", "OTP", ("new: operator",)),
    Wanted("Vault's older name for it.", OTHER_SERVER, "operator generate-root.*", "encoded_root_token", ("new: operator",)),
    Wanted("What is no key is the client's mistake, not the server's.", OTHER_SERVER, "operator generate-root .* nonsense",
           "stderr", ("new: operator",)),
    Wanted("Whom nobody knows cannot be removed, nor one join whom one belongs to already.", OTHER_SERVER,
           "operator raft (remove-peer nobody|join .*)", r"exit code|stderr|words\.0|Joined", ("new: operator",)),
    Wanted("Whom nobody knows is the client's mistake.", OTHER_SERVER, "operator raft (promote|demote) nobody", "stderr",
           ("new: operator",)),
    Wanted("Coffer tells who lags, who is silent and who is sealed.", OTHER_SERVER, "operator raft list-peers.*",
           r"data\.config\.(index|servers\.0\.(behind|last_contact_ms|non_leader|sealed|since))", ("new: operator",)),
    Wanted("Places in each server's own log, and its version.", OTHER_SERVER, "operator raft autopilot state.*",
           r"words\.\d+|Servers\.node1\.(LastTerm|LastIndex|Version)", ("new: operator",)),
    Wanted("The same.", OTHER_CLIENT, "operator raft autopilot state.*", r"words\.9|Servers\.node1\.LastIndex"),
    Wanted("Who is alone has nobody to hand over to, and says so.", OTHER_SERVER, "operator step-down",
           r"exit code|stderr|words\.0", ("new: operator",)),

    # ---- What Coffer's own command line does otherwise ----
    Wanted("It says in its own words that one is logged in, around the same table.", OTHER_CLIENT, "login .*", r"words\.\d+",
           _ALL),
    Wanted("Fields that the server does not send are not made up.", OTHER_CLIENT, ".*",
           r"(.*\.)?(deprecation_status|build_date|verification_nonce|pgp_fingerprints|backup|"
           "encoded_token|encoded_root_token|otp|otp_length|UpgradeVersion)", ("logins", "kv", "new: operator")),
    Wanted("A file that cannot be opened is a mistake on this side.", OTHER_CLIENT,
           "operator raft snapshot (save nowhere/a.snap|restore nothing.snap)", "exit code", ("new: operator",)),
    Wanted("A version whose end is still to come is there, and can be gone back to.", OTHER_CLIENT,
           "kv rollback -version=2 kv/a", ".*", ("kv",)),
    Wanted("What is there then.", OTHER_CLIENT, "kv get -field=y kv/a", r"words\.0", ("kv",)),
    Wanted("It leaves no empty line before a table.", OTHER_CLIENT, "operator rekey -init .*", r"words\.0", ("new: operator",)),
    Wanted("A warning of the server is shown.", OTHER_CLIENT, "kv enable-versioning old", "stderr", ("kv",)),
    Wanted("What is wrapped is printed as asked for; bao looks for the secret in it.", OTHER_CLIENT,
           r"kv get -wrap-ttl=5m -field=wrapping_token kv/w|unwrap -field=wrapping_token \$wrap", "exit code|stderr|words.0",
           ("kv",)),
]
