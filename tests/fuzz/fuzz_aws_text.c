/* SPDX-License-Identifier: Apache-2.0 */
/* Username templates and policies, which administrators write, and answers, which come over the network. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "secrets/aws/aws_private.h"
#include "secrets/aws/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_template(struct arena *arena, const char *text)
{
    static const struct template_vars vars = {"IAM", "token-ann", "role"};
    const char *name = NULL;
    if (aws_template_name(text, &vars, 64, arena, &name, NULL) == OK)
        assert(strlen(name) >= 2 && strlen(name) <= 64);
}

static void try_policy(struct arena *arena, const char *text)
{
    const char *once = NULL, *twice = NULL;
    struct err err = {0};
    if (aws_policy_compact(arena, text, &once, &err) != OK)
        return;
    assert(strlen(once) <= strlen(text));
    assert(aws_policy_compact(arena, once, &twice, &err) == OK && strcmp(once, twice) == 0);
}

static void try_answer(const uint8_t *data, size_t size)
{
    struct aws_xml *xml = NULL;
    if (aws_xml_parse(data, size, &xml, NULL) != OK)
        return;
    assert(aws_xml_text(xml, "Error/Code") != NULL);
    for (size_t i = 0; aws_xml_member(xml, "L", i, "K") != NULL; i++)
        ;
    aws_xml_free(xml);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    if (size == 0)
        return 0;
    arena_init(&arena);
    char *text = arena_strndup(&arena, (const char *)data + 1, size - 1);
    switch (data[0] % 3) {
    case 0:
        try_template(&arena, text);
        break;
    case 1:
        try_policy(&arena, text);
        break;
    default:
        try_answer(data + 1, size - 1);
    }
    arena_close(&arena);
    return 0;
}
