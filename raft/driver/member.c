/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/driver/member.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_node_id(const char *text, size_t len)
{
    if (len == 0 || len >= CLUSTER_NODE_ID_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && strchr("._-", text[i]) == NULL)
            return false;
    return true;
}

static bool is_cluster_addr(const char *text, size_t len)
{
    const char *colon = memrchr(text, ':', len);
    if (len >= CLUSTER_ADDR_MAX || colon == NULL || colon == text)
        return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    size_t digits = strspn(colon + 1, "0123456789");
    return digits > 0 && digits <= 5 && colon + 1 + digits == text + len;
}

int member_make(const char *node_id, const char *cluster_addr, bool non_voter, struct member *ret, struct err *err)
{
    *ret = (struct member){.non_voter = non_voter};
    if (!is_node_id(node_id, strlen(node_id)))
        return err_set(err, ERR_INVALID, "a node id is 1 to %d letters, digits, dots, dashes or underscores",
                       CLUSTER_NODE_ID_MAX - 1);
    if (!is_cluster_addr(cluster_addr, strlen(cluster_addr)))
        return err_set(err, ERR_INVALID, "a cluster address is host:port");
    memcpy(ret->node_id, node_id, strlen(node_id));
    memcpy(ret->cluster_addr, cluster_addr, strlen(cluster_addr));
    return OK;
}

void member_format(const struct member *member, char ret[MEMBER_ADDRESS_MAX])
{
    snprintf(ret, MEMBER_ADDRESS_MAX, "%s %s%s", member->node_id, member->cluster_addr,
             member->non_voter ? " nonvoter" : "");
}

int member_parse(const char *address, struct member *ret)
{
    const char *space = strchr(address, ' ');
    if (space == NULL || !is_node_id(address, (size_t)(space - address)))
        return ERR_CORRUPT;
    const char *addr = space + 1;
    size_t len = strcspn(addr, " ");
    bool non_voter = strcmp(addr + len, " nonvoter") == 0;
    if (!is_cluster_addr(addr, len) || (addr[len] != '\0' && !non_voter))
        return ERR_CORRUPT;
    *ret = (struct member){.non_voter = non_voter};
    memcpy(ret->node_id, address, (size_t)(space - address));
    memcpy(ret->cluster_addr, addr, len);
    return OK;
}

/*
 * libraft's form: version u8 = 1 ‖ count u64 ‖ count × (id u64 ‖ address, NUL ‖ role u8), little endian, padded with
 * zeroes to 8 bytes. Ids and roles that libraft would refuse it refuses itself; this keeps it within its bytes.
 */
static bool is_within(const unsigned char *data, size_t len)
{
    if (len < 9 || data[0] != 1)
        return false;
    uint64_t count = 0;
    for (int i = 8; i >= 1; i--)
        count = count << 8 | data[i];
    if (count == 0 || count > CLUSTER_MEMBERS_MAX)
        return false;
    size_t at = 9;
    for (uint64_t i = 0; i < count; i++) {
        if (len - at < 8 + 2)
            return false;
        at += 8;
        const unsigned char *nul = memchr(data + at, '\0', len - at);
        if (nul == NULL || (size_t)(nul - data) + 2 > len)
            return false;
        at = (size_t)(nul - data) + 2;
    }
    return len - at < 8;
}

int configuration_decode(const void *data, size_t len, struct raft_configuration *ret)
{
    struct raft_configuration configuration;
    struct member member;
    if (!is_within(data, len))
        return ERR_CORRUPT;
    struct raft_buffer buffer = {.base = (void *)data, .len = len};
    if (raft_configuration_decode(&buffer, &configuration) != 0)
        return ERR_CORRUPT;
    for (unsigned i = 0; i < configuration.n; i++) {
        if (configuration.servers[i].id == 0 || member_parse(configuration.servers[i].address, &member) != OK) {
            raft_configuration_close(&configuration);
            return ERR_CORRUPT;
        }
    }
    *ret = configuration;
    return OK;
}

struct entry *configuration_entry(const struct raft_configuration *configuration)
{
    struct raft_buffer buffer;
    if (raft_configuration_encode(configuration, &buffer) != 0)
        abort();
    struct entry *entry = entry_new(0, 0, ENTRY_CONFIGURATION, buffer.base, buffer.len);
    raft_free(buffer.base);
    return entry;
}

void configuration_copy(const struct raft_configuration *from, struct raft_configuration *ret)
{
    raft_configuration_init(ret);
    for (unsigned i = 0; i < from->n; i++) {
        const struct raft_server *server = &from->servers[i];
        int rc = raft_configuration_add(ret, server->id, server->address, server->role);
        assert(rc == 0);
        (void)rc;
    }
}

void configuration_clear(struct raft_configuration *configuration)
{
    raft_configuration_close(configuration);
    raft_configuration_init(configuration);
}

struct raft_server *configuration_find(const struct raft_configuration *configuration, uint64_t id)
{
    for (unsigned i = 0; i < configuration->n; i++)
        if (configuration->servers[i].id == id)
            return &configuration->servers[i];
    return NULL;
}

struct raft_server *configuration_find_node(const struct raft_configuration *configuration, const char *node_id)
{
    size_t len = strlen(node_id);
    for (unsigned i = 0; i < configuration->n; i++) {
        const char *address = configuration->servers[i].address;
        if (strncmp(address, node_id, len) == 0 && address[len] == ' ')
            return &configuration->servers[i];
    }
    return NULL;
}

void configuration_readdress(struct raft_server *server, const char *address)
{
    size_t size = strlen(address) + 1;
    char *copy = raft_malloc(size);
    if (copy == NULL)
        abort();
    memcpy(copy, address, size);
    raft_free(server->address);
    server->address = copy;
}

unsigned configuration_voters(const struct raft_configuration *configuration)
{
    unsigned n = 0;
    for (unsigned i = 0; i < configuration->n; i++)
        n += configuration->servers[i].role == RAFT_VOTER;
    return n;
}
