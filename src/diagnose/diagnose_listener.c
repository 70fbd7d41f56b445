/* SPDX-License-Identifier: Apache-2.0 */
/* diagnose_listener.c — certificates and ports. */
#include <errno.h>
#include <netdb.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "diagnose/diagnose_private.h"

#define DAYS_WARN 30

/* ---- Certificates ---- */

/* How long one is still valid, in days; negative: it is not. *ret_not_yet: not yet. */
static long days_left(const X509 *certificate, bool *ret_not_yet)
{
    int days = 0, seconds = 0;
    *ret_not_yet = X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0;
    if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) != 1)
        return -1;
    return seconds < 0 ? days - 1 : days;
}

/* One certificate of a file. what: "the certificate", or which of the chain. */
static void check_validity(struct report *report, const char *file, const char *what, const X509 *certificate)
{
    const char *name = "Check Certificate Validity";
    bool not_yet;
    long days = days_left(certificate, &not_yet);
    if (not_yet)
        report_add(report, VERDICT_FAIL, name, "%s: %s is not valid yet: look at this machine's clock", file, what);
    else if (days < 0)
        report_add(report, VERDICT_FAIL, name, "%s: %s has expired", file, what);
    else if (days < DAYS_WARN)
        report_add(report, VERDICT_WARN, name, "%s: %s expires in %ld days: renew it, then send SIGHUP", file, what,
                   days);
    else
        report_add(report, VERDICT_OK, name, "%s: %s is valid for %ld days", file, what, days);
}

/* Each certificate of the file must be issued by the next; the authority's own need not be there. */
static void check_chain(struct report *report, const char *file, SSL_CTX *context)
{
    const char *name = "Check Certificate Chain";
    STACK_OF(X509) *chain = NULL;
    SSL_CTX_get0_chain_certs(context, &chain);
    X509 *below = SSL_CTX_get0_certificate(context);
    for (int i = 0; chain != NULL && i < sk_X509_num(chain); i++) {
        X509 *issuer = sk_X509_value(chain, i);
        if (X509_check_issued(issuer, below) != X509_V_OK) {
            report_add(report, VERDICT_FAIL, name, "%s: certificate %d has not issued the one before it", file, i + 2);
            return;
        }
        check_validity(report, file, "an intermediate", issuer);
        below = issuer;
    }
    report_add(report, VERDICT_OK, name, "%s: %d certificates", file, 1 + (chain != NULL ? sk_X509_num(chain) : 0));
}

static void check_names(struct report *report, const char *file, X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    if (names == NULL)
        report_add(report, VERDICT_WARN, "Check Certificate Names",
                   "%s has no subject alternative names: clients do not accept it", file);
    GENERAL_NAMES_free(names);
}

static void check_tls(struct report *report, const struct config_listener *listener)
{
    const char *name = "Check Listener TLS", *file = listener->tls_cert_file, *key = listener->tls_key_file;
    if (listener->tls_disable) {
        report_add(report, VERDICT_WARN, name, "%s: TLS is disabled: tokens and secrets travel in clear",
                   listener->address);
        return;
    }
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (file == NULL || key == NULL)
        report_add(report, VERDICT_FAIL, name, "%s: tls_cert_file and tls_key_file are needed", listener->address);
    else if (SSL_CTX_use_certificate_chain_file(context, file) != 1)
        report_add(report, VERDICT_FAIL, name, "%s: %s", file,
                   access(file, R_OK) != 0 ? strerror(errno) : "this is no certificate in PEM");
    else if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 ||
             SSL_CTX_check_private_key(context) != 1)
        report_add(report, VERDICT_FAIL, name, "%s: %s", key,
                   access(key, R_OK) != 0 ? strerror(errno) : "this is not the private key of the certificate");
    else {
        report_add(report, VERDICT_OK, name, "%s: certificate and key belong together", listener->address);
        check_validity(report, file, "the certificate", SSL_CTX_get0_certificate(context));
        check_chain(report, file, context);
        check_names(report, file, SSL_CTX_get0_certificate(context));
    }
    SSL_CTX_free(context);
}

/* ---- Ports ---- */

/* 0, or errno of what failed; -1 when the address cannot be resolved. */
static int try_port(const char *address)
{
    char host[300];
    const char *colon = strrchr(address, ':');
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *found = NULL;
    if (colon == NULL)
        return -1;
    bool is_bracketed = address[0] == '[';
    snprintf(host, sizeof host, "%.*s", (int)(colon - address) - 2 * is_bracketed, address + is_bracketed);
    if (getaddrinfo(host[0] != '\0' ? host : NULL, colon + 1, &hints, &found) != 0)
        return -1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, code = fd < 0 ? errno : 0;
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 1) != 0)
            code = errno;
        close(fd);
    }
    freeaddrinfo(found);
    return code;
}

static void check_port(struct diagnosis *diagnosis, const char *name, const char *address)
{
    int code = try_port(address);
    if (code == EADDRINUSE && diagnosis->health != NULL)
        report_add(diagnosis->report, VERDICT_OK, name, "%s: in use, and the server runs", address);
    else if (code == EADDRINUSE)
        report_add(diagnosis->report, VERDICT_FAIL, name, "%s is in use by another program", address);
    else if (code != 0)
        report_add(diagnosis->report, VERDICT_FAIL, name, "%s: %s", address,
                   code < 0 ? "there is no such address" : strerror(code));
    else
        report_add(diagnosis->report, VERDICT_OK, name, "%s", address);
}

/* As the server finds it: the port after the first listener's. */
static void cluster_address(const struct config_listener *listener, char *ret, size_t size)
{
    const char *colon = strrchr(listener->address, ':');
    if (listener->cluster_address != NULL || colon == NULL)
        snprintf(ret, size, "%s", listener->cluster_address != NULL ? listener->cluster_address : listener->address);
    else
        snprintf(ret, size, "%.*s:%d", (int)(colon - listener->address), listener->address, atoi(colon + 1) + 1);
}

void diagnose_listeners(struct diagnosis *diagnosis)
{
    char address[600];
    report_begin(diagnosis->report, "Start Listeners");
    for (size_t i = 0; i < diagnosis->config->n_listeners; i++) {
        check_tls(diagnosis->report, &diagnosis->config->listeners[i]);
        check_port(diagnosis, "Create Listeners", diagnosis->config->listeners[i].address);
    }
    cluster_address(&diagnosis->config->listeners[0], address, sizeof address);
    check_port(diagnosis, "Check Cluster Address", address);
    report_end(diagnosis->report);
}
