/* SPDX-License-Identifier: Apache-2.0 */
/* adopt.c - connections that others accepted (http_adopt). Each place they come from has a share of its own, so that none can
 * take all the connections the server has. */
#include "base/util.h"
#include "http/private.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <unistd.h>

struct via { /* lives as long as it has connections */
	struct via *next;
	int count;
	char name[HTTP_VIA_BYTES_MAX + 1];
};
struct adoption {
	struct post post;
	struct http_loop *loop;
	struct via *via;
	int fd;
};

struct str via_name(const struct via *v)
{
	return str_c(v->name);
}

static struct via *take(struct http_server *s, struct str name)
{
	struct via *v;

	pthread_mutex_lock(&s->vias_mutex);
	for (v = s->vias; v && !str_eq(str_c(v->name), name); v = v->next)
		continue;
	if (!v) {
		v = xzalloc(sizeof *v);
		memcpy(v->name, name.p, name.n);
		v->next = s->vias;
		s->vias = v;
	}
	if (v->count >= HTTP_VIA_CONNECTIONS_MAX)
		v = NULL;
	else
		v->count++;
	pthread_mutex_unlock(&s->vias_mutex);
	return v;
}

void via_release(struct http_server *s, struct via *v)
{
	struct via **p = &s->vias;

	pthread_mutex_lock(&s->vias_mutex);
	if (--v->count == 0) {
		while (*p != v)
			p = &(*p)->next;
		*p = v->next;
		free(v);
	}
	pthread_mutex_unlock(&s->vias_mutex);
}

static void drop(struct http_server *s, int fd, struct via *v)
{
	close(fd);
	via_release(s, v);
	atomic_fetch_sub(&s->connections, 1);
}

static void adopt(void *arg)
{
	struct adoption *ad = arg;
	struct http_loop *l = ad->loop;
	struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
	socklen_t n = sizeof peer;

	if (l->draining || getpeername(ad->fd, (struct sockaddr *)&peer, &n) < 0) {
		drop(l->server, ad->fd, ad->via);
	} else {
		setsockopt(ad->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		conn_new(l, ad->fd, (struct sockaddr *)&peer, n, ad->via);
	}
	free(ad);
}

int http_adopt(struct http_server *s, int fd, struct str via)
{
	struct http_loop *l = s->loops[atomic_fetch_add(&s->adopted, 1) % (unsigned)s->n_loops];
	struct adoption *ad;
	struct via *v;

	if (via.n == 0 || via.n > HTTP_VIA_BYTES_MAX)
		return -EINVAL;
	v = take(s, via);
	if (!v)
		return -EMFILE;
	if (atomic_fetch_add(&s->connections, 1) >= s->connections_max) {
		atomic_fetch_sub(&s->connections, 1);
		via_release(s, v);
		return -EMFILE;
	}
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	ad = xzalloc(sizeof *ad);
	*ad = (struct adoption){ .loop = l, .via = v, .fd = fd, .post = { .fn = adopt, .arg = ad } };
	if (!loop_post(l, &ad->post)) { /* the server is stopping */
		drop(s, fd, v);
		free(ad);
	}
	return 0;
}
