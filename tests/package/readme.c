/* A server around the integration that the README shows, which run.sh puts into two files as it
 * stands there: what is declared here is all that it takes from its server. It is compiled only. */
#include <wsfan/wsfan.h>

struct server {
    wsfan_node *node;
    wsfan_loop *loop;
};

struct client {
    wsfan_session session;
};

void send_frame(void *client, const void *data, size_t size);
int start(struct server *server);
void events(struct client *client, wsfan_node *node, wsfan_loop *loop, const char *user,
            const char *chat, const void *data, size_t size);

#include "readme_start.h"

void events(struct client *client, wsfan_node *node, wsfan_loop *loop, const char *user,
            const char *chat, const void *data, size_t size) {
#include "readme_events.h"
}
