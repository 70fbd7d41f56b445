/* SPDX-License-Identifier: Apache-2.0 */
#include "secrets/aws/xml.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

/* libxml2's own name for the document; ours only makes the header free of its types. */
struct aws_xml {
    xmlDoc doc;
};

int aws_xml_parse(const void *text, size_t len, struct aws_xml **ret_xml, struct err *err)
{
    int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA;
#if LIBXML_VERSION >= 21300
    options |= XML_PARSE_NO_XXE;
#endif

    xmlInitParser();
    if (len > AWS_XML_MAX)
        return err_set(err, ERR_UPSTREAM, "the answer is larger than %u bytes", AWS_XML_MAX);
    /* AWS sends no DTD; refusing the word before parsing leaves no entity to expand. */
    if (len > 0 && memmem(text, len, "<!DOCTYPE", 9) != NULL)
        return err_set(err, ERR_UPSTREAM, "the answer has a document type, which AWS never sends");
    xmlDoc *doc = len == 0 ? NULL : xmlReadMemory(text, (int)len, "answer.xml", NULL, options);
    if (doc == NULL || doc->intSubset != NULL || xmlDocGetRootElement(doc) == NULL) {
        xmlFreeDoc(doc);
        return err_set(err, ERR_UPSTREAM, "the answer is not XML");
    }
    *ret_xml = (struct aws_xml *)doc;
    return OK;
}

void aws_xml_free(struct aws_xml *xml)
{
    if (xml != NULL)
        xmlFreeDoc(&xml->doc);
}

static const xmlNode *child_called(const xmlNode *node, const char *name, size_t len, size_t nth)
{
    for (const xmlNode *at = node != NULL ? node->children : NULL; at != NULL; at = at->next) {
        const char *is = (const char *)at->name;
        if (at->type == XML_ELEMENT_NODE && strlen(is) == len && memcmp(is, name, len) == 0 && nth-- == 0)
            return at;
    }
    return NULL;
}

static const xmlNode *node_at(const struct aws_xml *xml, const char *path)
{
    const xmlNode *node = xmlDocGetRootElement((xmlDoc *)&xml->doc);
    while (node != NULL && *path != '\0') {
        size_t len = strcspn(path, "/");
        node = child_called(node, path, len, 0);
        path += len + (path[len] == '/');
    }
    return node;
}

static const char *text_of(const xmlNode *node)
{
    const xmlNode *text = node != NULL ? node->children : NULL;
    return text != NULL && text->type == XML_TEXT_NODE && text->content != NULL ? (const char *)text->content : "";
}

const char *aws_xml_text(const struct aws_xml *xml, const char *path)
{
    return text_of(node_at(xml, path));
}

const char *aws_xml_member(const struct aws_xml *xml, const char *list, size_t i, const char *name)
{
    const xmlNode *member = child_called(node_at(xml, list), "member", strlen("member"), i);
    if (member == NULL)
        return NULL;
    return text_of(name != NULL ? child_called(member, name, strlen(name), 0) : member);
}
