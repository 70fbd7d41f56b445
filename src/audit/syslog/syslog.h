/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syslog.h — the audit log given to this machine's syslog, at /dev/log, with severity info.
 *
 * Options: facility ("AUTH"), tag ("coffer"). libc's syslog() is not used: it does not say whether a message was taken,
 * and has one tag for the whole process. The form is RFC 3164's. An entry that does not fit into one datagram is not
 * taken.
 */
#ifndef COFFER_AUDIT_SYSLOG_SYSLOG_H
#define COFFER_AUDIT_SYSLOG_SYSLOG_H

#include "core/audit/audit.h"

extern const struct audit_device audit_syslog_device;

#endif
