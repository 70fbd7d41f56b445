/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xml.h — the answers of AWS's Query APIs, as far as this engine reads them.
 *
 * What is parsed came over the network: no DTD, no entities but the five predefined, no network, at most
 * AWS_XML_MAX bytes. Namespaces are ignored, elements are found by their local names.
 */
#ifndef COFFER_SECRETS_AWS_XML_H
#define COFFER_SECRETS_AWS_XML_H

#include <stddef.h>

#include "base/err.h"

#define AWS_XML_MAX (1u << 20)

struct aws_xml;

/* Errors: ERR_UPSTREAM with why it is no XML that we read. */
int aws_xml_parse(const void *text, size_t len, struct aws_xml **ret_xml, struct err *err) MUST_CHECK;
/* Wipes and frees; NULL is fine. */
void aws_xml_free(struct aws_xml *xml);

/* The text at a path below the root, "GetUserResult/User/UserName"; "" when there is none. Lives as long as xml. */
const char *aws_xml_text(const struct aws_xml *xml, const char *path);

/*
 * The i-th <member> of the list at a path, or the element called `name` in it when name is not NULL.
 * NULL when the list has no such member; "" when the member lacks the element.
 */
const char *aws_xml_member(const struct aws_xml *xml, const char *list, size_t i, const char *name);

#endif
