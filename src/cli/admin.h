/* SPDX-License-Identifier: Apache-2.0 */
/* admin.h - between the admin socket, what it can do, and the commands that read more than one line from it. */
#pragma once
#include "cli/cli.h"
#include "cloud/cloud.h"

struct admin_env {
	struct cloud *cloud;
	const char *dir;
	int wake_fd;
	const struct state *state;
};
/* admin_answer does what is asked. 0 with *ret_answer; or 0 with NULL when it has written to fd itself; negative: not
 * understood, the connection is closed without an answer. */
int admin_answer(struct admin_env *e, const struct json *request, struct arena *a, int fd, struct json **ret_answer);

int admin_send(int fd, struct str s);
int admin_request(struct cli *c, int fd, struct json *request);
int admin_read_answer(struct cli *c, int fd, struct json **ret);
int admin_check(struct json *answer); /* an answer with "error" is printed and gives 1 */

/* counts.c: what a region holds, for `cloudkeep status`: {"kms": {"keys": 3}}. Empty groups are left out. */
struct json *region_counts(struct cloud *cl, struct region *r, struct arena *a);
struct json *region_stacks(struct cloud *cl, struct region *r, struct arena *a); /* [{"name", "status"}], newest first, at most 200 */
