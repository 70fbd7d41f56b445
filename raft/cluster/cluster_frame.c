/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's frames on the net: from u64 ‖ to u64 ‖ what the driver gave. The numbers are of a node and its disk
 * (member.h): a frame for another disk of this node, or as if from another member, is none.
 *
 * A long frame goes in parts, so that who receives it knows that its leader is alive long before all of it is there:
 * FRAME_PART: from u64 ‖ to u64 ‖ term u64 ‖ type u8 ‖ total u32 ‖ offset u32 ‖ bytes. Only a leader sends such, and
 * only from who may lead they are taken: so there is memory for one at a time.
 */
#include <string.h>

#include "base/log.h"
#include "raft/cluster/cluster_private.h"
#include "raft/driver/member.h"

#define PART_SIZE (512u << 10)

/* ---- Out ---- */

static void send_parts(struct cluster *cluster, const char *node_id, uint64_t to, uint8_t type, const void *payload,
                       size_t len)
{
    struct driver_standing standing;
    driver_standing(cluster->driver, &standing);
    for (size_t offset = 0; offset < len; offset += PART_SIZE) {
        size_t part = len - offset < PART_SIZE ? len - offset : PART_SIZE;
        buf_clear(&cluster->frame);
        buf_put_u64(&cluster->frame, cluster->id);
        buf_put_u64(&cluster->frame, to);
        buf_put_u64(&cluster->frame, standing.term);
        buf_put_u8(&cluster->frame, type);
        buf_put_u32(&cluster->frame, (uint32_t)len);
        buf_put_u32(&cluster->frame, (uint32_t)offset);
        buf_put(&cluster->frame, (const unsigned char *)payload + offset, part);
        if (!net_send(cluster->net, node_id, FRAME_PART, cluster->frame.data, cluster->frame.len))
            return;
    }
}

void cluster_frame_send(struct cluster *cluster, uint64_t to, uint8_t type, const void *payload, size_t len)
{
    const char *node_id = cluster_node_of(cluster, to);
    if (cluster->net == NULL || cluster->net_closing || node_id == NULL)
        return;
    if (len > PART_SIZE) {
        send_parts(cluster, node_id, to, type, payload, len);
        return;
    }
    buf_clear(&cluster->frame);
    buf_put_u64(&cluster->frame, cluster->id);
    buf_put_u64(&cluster->frame, to);
    if (len > 0)
        buf_put(&cluster->frame, payload, len);
    net_send(cluster->net, node_id, type, cluster->frame.data, cluster->frame.len);
}

/* ---- In ---- */

/*
 * A node that was started just now, or stands for election, knows no leader yet, or an older one: who leads may send
 * all the same, and what is left out of a message makes the rest of it useless.
 */
static bool may_lead(const struct driver_standing *standing, uint64_t from, uint64_t term)
{
    bool is_open = standing->leader == from || standing->leader == 0;
    return term > standing->term || (term == standing->term && is_open);
}

/* A member's number is its own alone. */
static bool may_speak_as(struct cluster *cluster, const char *node_id, uint64_t id)
{
    struct member member;
    const struct raft_server *server = configuration_find(driver_configuration(cluster->driver), id);
    return server == NULL || (member_parse(server->address, &member) == OK && strcmp(member.node_id, node_id) == 0);
}

static void take_part(struct cluster *cluster, uint64_t from, struct reader *reader)
{
    struct cluster_assembly *assembly = &cluster->assembly;
    struct driver_standing standing;
    uint64_t term = reader_u64(reader);
    uint8_t type = reader_u8(reader);
    uint32_t total = reader_u32(reader), offset = reader_u32(reader);
    size_t part = (size_t)(reader->end - reader->at);
    driver_standing(cluster->driver, &standing);
    if (reader->failed || total > NET_FRAME_MAX || !may_lead(&standing, from, term))
        return;
    if (offset == 0) {
        buf_close(&assembly->data);
        buf_reserve(&assembly->data, total);
        assembly->from = from;
        assembly->total = total;
    }
    if (assembly->from != from || assembly->total != total || assembly->data.len != offset || part > total - offset)
        return; /* the link broke amid a message: the rest of it is of no use */
    buf_put(&assembly->data, reader->at, part);
    driver_alive(cluster->driver, from, term);
    if (assembly->data.len < total)
        return;
    driver_receive(cluster->driver, from, type, assembly->data.data, assembly->data.len);
    buf_close(&assembly->data);
    assembly->from = 0;
}

void cluster_frame_take(struct cluster *cluster, const char *node_id, uint8_t type, const void *payload, size_t len)
{
    struct reader reader = reader_of(payload, len);
    uint64_t from = reader_u64(&reader), to = reader_u64(&reader);
    if (reader.failed || to != cluster->id || !may_speak_as(cluster, node_id, from))
        return;
    if (type == FRAME_PART)
        take_part(cluster, from, &reader);
    else
        driver_receive(cluster->driver, from, type, reader.at, (size_t)(reader.end - reader.at));
}
