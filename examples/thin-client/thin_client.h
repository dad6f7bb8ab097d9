/* thin_client.h - a REST service that owns chats in SQLite; no WebSocket ends here
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 *
 *   main.c       the command line, start and end
 *   http.c       GET /, /items and /metrics, POST /items
 *   store.c      SQLite: the one place where messages are
 *   publisher.c  libwsfan: a node without sessions, which tells that something changed
 *
 * Everything runs on one thread.
 */
#ifndef THIN_CLIENT_H
#define THIN_CLIENT_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <web.h>
#include <wsfan/wsfan.h>

enum {
    CHAT_BYTES_MAX = 128,
    USER_BYTES_MAX = 64,
    TEXT_BYTES_MAX = 4096,
    ITEMS_COUNT_MAX = 200,
    ITEMS_BYTES_MAX = 16 * 1024 /* each may take six in JSON */
};

struct service {
    struct web_thread *thread;
    struct web_descriptors descriptors;
    sqlite3 *database;
    sqlite3_stmt *insert;
    sqlite3_stmt *select;
    wsfan_node *node;
    wsfan_loop *loop;
    const char *sockets;    /* where pages open their WebSocket */
    struct web_names names; /* what browsers call this service */
    uint64_t told;          /* changes that every replica concerned has heard of */
    uint64_t told_partly;
    uint64_t untold;   /* refused by the library: pages find them when they fetch */
    uv_poll_t cluster; /* the loop's descriptor */
};

/* Both return 0, or -1 and a message on stderr. */
int store_open(struct service *service, const char *file);
void store_close(struct service *service);

/* The new item's id, 0 on failure. Durable when it returns. */
int64_t store_add(struct service *service, const char *chat, const char *user, const char *text);

/* [{"item": ID, "user": ..., "text": ...}, ...] of those after `after`, the first of them, at most
 * ITEMS_COUNT_MAX and ITEMS_BYTES_MAX of text. NULL on failure. */
json_t *store_list(struct service *service, const char *chat, int64_t after);

int publisher_open(struct service *service, wsfan_options *options);
void publisher_close(struct service *service);

/* Tells the chat that this item is there: not what it says. */
void publisher_tell(struct service *service, const char *chat, int64_t item);

int http_open(struct service *service, const char *host, int port);

extern const unsigned char page_html[];
extern const size_t page_html_size;

#endif
