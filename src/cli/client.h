/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - a blocking HTTP client for AWS APIs: TLS checked against one authority or the system's, Signature Version 4,
 * keep-alive, timeouts. One thread at a time uses a client. A process that makes clients ignores SIGPIPE. */
#pragma once
#include "base/arena.h"
#include "base/str.h"
#include "http/http.h"
#include "wire/wire.h"

#define CLIENT_ANSWER_BYTES_MAX (64u << 20)
#define CLIENT_HEADERS_MAX 100

struct client;
struct client_opts {                      /* all of it is copied */
	struct str endpoint;              /* "https://localhost:4566", "http://127.0.0.1:5000" */
	struct str ca_file;               /* absent: the system's authorities */
	struct str key_id, secret, token; /* key_id absent: requests are not signed */
	struct str region, service;       /* of the credential scope */
	int timeout_ms;                   /* of connecting, and of each pause; 0: 60 s */
};
struct client_reply {
	int status;
	struct http_header *headers;
	size_t n_headers;
	struct str body;
};
int client_new(const struct client_opts *o, struct arena *a, struct client **ret, struct str *ret_problem); /* -EINVAL with a sentence */
void client_free(struct client *cl);                                                                        /* accepts NULL */

/* client_send sends one request and reads its answer; everything returned is in a. target: raw path, perhaps with a query. A
 * Host among the headers goes out instead of the endpoint's own.
 * 0, or negative with *ret_problem: a sentence on what failed. */
int client_send(struct client *cl, struct arena *a, const char *method, struct str target, const struct http_header *headers,
		size_t n_headers, struct str body, struct client_reply *ret, struct str *ret_problem);

/* client_query makes a call of an awsQuery service. 0 with the answer's root element; 1: the service refused, with
 * ret->code and ret->message; negative: no answer, with ret->message. */
struct client_answer {
	int status;
	struct xml_node *root;
	struct str code, message;
};
int client_query(struct client *cl, struct arena *a, const char *action, const char *version, const struct str_pair *params, size_t n,
		 struct client_answer *ret);
/* xml_find gives the first descendant on a path of local names ("DescribeStacksResult/Stacks/member"), or NULL; xml_text its text. */
struct xml_node *xml_find(struct xml_node *n, const char *path);
struct str xml_text(struct xml_node *n, const char *path);
