/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between nodes: whatever the bytes, no crash; and what decodes encodes to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "raft/driver/member.h"
#include "raft/driver/message.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check_message(const unsigned char *data, size_t size)
{
    struct message message;
    struct buf again = BUF_INIT;
    if (message_decode(data, size, &message) != OK)
        return;
    message_encode(&message.raft, message.entries, FORMAT_FIRST, &again);
    /* A list of members may be padded with anything; all else has one form. */
    if (message.raft.type != RAFT_INSTALL_SNAPSHOT && (again.len != size || memcmp(again.data, data, size) != 0))
        abort();
    buf_close(&again);
    message_close(&message);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct raft_configuration members;
    check_message(data, size);
    if (configuration_decode(data, size, &members) == OK)
        raft_configuration_close(&members);
    return 0;
}
