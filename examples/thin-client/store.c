/* store.c - the messages, in SQLite. */
#include "thin_client.h"

#include <stdio.h>

/* While another process writes, nobody else is served. */
enum { BUSY_MS = 200 };

static const char schema[] =
    "PRAGMA journal_mode = WAL;"
    "CREATE TABLE IF NOT EXISTS items (item INTEGER PRIMARY KEY AUTOINCREMENT, chat TEXT NOT NULL,"
    " user TEXT NOT NULL, text TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS items_of_chat ON items (chat, item);";

int store_open(struct service *service, const char *file) {
    if (sqlite3_open(file, &service->database) == SQLITE_OK &&
        sqlite3_busy_timeout(service->database, BUSY_MS) == SQLITE_OK &&
        sqlite3_exec(service->database, schema, NULL, NULL, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(service->database,
                           "INSERT INTO items (chat, user, text) VALUES (?, ?, ?)", -1,
                           &service->insert, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(service->database,
                           "SELECT item, user, text FROM items WHERE chat = ? AND item > ? "
                           "ORDER BY item LIMIT ?",
                           -1, &service->select, NULL) == SQLITE_OK)
        return 0;
    fprintf(stderr, "thin-client: %s: %s\n", file, sqlite3_errmsg(service->database));
    return -1;
}

void store_close(struct service *service) {
    sqlite3_finalize(service->insert);
    sqlite3_finalize(service->select);
    sqlite3_close(service->database);
}

int64_t store_add(struct service *service, const char *chat, const char *user, const char *text) {
    sqlite3_stmt *insert = service->insert;
    sqlite3_bind_text(insert, 1, chat, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 2, user, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 3, text, -1, SQLITE_STATIC);
    int result = sqlite3_step(insert);
    sqlite3_reset(insert);
    return result == SQLITE_DONE ? sqlite3_last_insert_rowid(service->database) : 0;
}

json_t *store_list(struct service *service, const char *chat, int64_t after) {
    sqlite3_stmt *select = service->select;
    json_t *list = json_array();
    int result;
    size_t bytes = 0;
    sqlite3_bind_text(select, 1, chat, -1, SQLITE_STATIC);
    sqlite3_bind_int64(select, 2, after);
    sqlite3_bind_int(select, 3, ITEMS_COUNT_MAX);
    while ((result = sqlite3_step(select)) == SQLITE_ROW && bytes < ITEMS_BYTES_MAX) {
        bytes += (size_t)sqlite3_column_bytes(select, 1) + (size_t)sqlite3_column_bytes(select, 2);
        json_t *item = json_pack("{sIssss}", "item", (json_int_t)sqlite3_column_int64(select, 0),
                                 "user", (const char *)sqlite3_column_text(select, 1), "text",
                                 (const char *)sqlite3_column_text(select, 2));
        if (item == NULL)
            continue; /* not in Unicode: another program wrote it */
        json_array_append_new(list, item);
    }
    sqlite3_reset(select);
    if (result == SQLITE_DONE || result == SQLITE_ROW)
        return list;
    json_decref(list);
    return NULL;
}
