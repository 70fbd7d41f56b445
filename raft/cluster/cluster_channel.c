/* SPDX-License-Identifier: Apache-2.0 */
/* Channels: opened by any thread, accepted on the loop. */
#include "raft/net/channel.h"

#include "raft/cluster/cluster_private.h"
#include "raft/net/net_private.h"

int cluster_dial(struct cluster *cluster, const char *node_id, const char *addr, struct channel **ret_channel,
                 struct err *err)
{
    return channel_dial(cluster->raft_dir, node_id, addr, ret_channel, err);
}

void cluster_take_channels(struct cluster *cluster, void (*take)(void *ctx, struct channel *channel), void *ctx)
{
    pthread_mutex_lock(&cluster->channel_lock);
    cluster->take_channel = take;
    cluster->take_channel_ctx = ctx;
    pthread_mutex_unlock(&cluster->channel_lock);
}

void cluster_channel_opened(void *ctx, struct channel *channel)
{
    struct cluster *cluster = ctx;
    pthread_mutex_lock(&cluster->channel_lock);
    if (cluster->take_channel != NULL)
        cluster->take_channel(cluster->take_channel_ctx, channel);
    else
        channel_close(channel);
    pthread_mutex_unlock(&cluster->channel_lock);
}
