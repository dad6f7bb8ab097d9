/* Servers of NATS at the addresses of the name server, one cluster: all nodes reach each other by way of them. */
#ifndef SERVERS_H
#define SERVERS_H

#include <stdbool.h>

enum { SERVERS_COUNT = 2, SERVERS_URLS_SIZE = 64 };

/* Whether this program was built with them. */
bool servers_exist(void);

/* At the address and port that it has each time; it ends with the calling process. Says why not on standard error. */
bool servers_start(unsigned server);
void servers_kill(unsigned server);
void servers_signal(unsigned server, int signal);

/* What nodes are told of all of them. */
void servers_urls(char out[SERVERS_URLS_SIZE]);

#endif
