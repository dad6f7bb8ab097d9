/* Answers for reading what ZeroMQ tells of a dialled connection: whether it stands, and why its handshake failed.
 *
 * A monitor that nobody reads blocks ZeroMQ's I/O thread, if it is bounded; a reader without a limit takes whatever
 * comes, and the monitor ends before the reader closes. A connection has a monitor only until a frame has come by
 * it, so a mesh that works has none. */
#include "mesh/monitor.h"

#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "mesh/zmq.h"

enum {
    EVENTS = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_DISCONNECTED |
             ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
             ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
};

bool wsf_monitor_open(wsf_monitor *monitor, void *context, void *socket, uint64_t serial,
                      int watch_fd, uint32_t watch_number) {
    char name[64];
    int zero = 0;
    snprintf(name, sizeof name, "inproc://wsfan-monitor-%llu", (unsigned long long)serial);
    *monitor = (wsf_monitor){ .socket = socket };
    void *reader = zmq_socket(context, ZMQ_PAIR);
    if (reader == NULL)
        return false;
    if (zmq_setsockopt(reader, ZMQ_LINGER, &zero, sizeof zero) == 0 &&
        zmq_setsockopt(reader, ZMQ_RCVHWM, &zero, sizeof zero) == 0 &&
        zmq_socket_monitor(socket, name, EVENTS) == 0) {
        if (zmq_connect(reader, name) == 0 && wsf_zmq_watch(watch_fd, reader, watch_number)) {
            monitor->reader = reader;
            return true;
        }
        zmq_socket_monitor(socket, NULL, 0);
    }
    zmq_close(reader);
    return false;
}

void wsf_monitor_close(wsf_monitor *monitor, int watch_fd) {
    if (monitor->reader == NULL)
        return;
    zmq_socket_monitor(monitor->socket, NULL, 0);
    wsf_zmq_close(watch_fd, monitor->reader);
    monitor->reader = NULL;
}

/* A node that was taken for another, or whose key is not known, ends the connection without a word. */
static wsfan_endpoint_state cause_of(uint16_t event, uint32_t value, bool keyed) {
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
        return WSFAN_ENDPOINT_KEY_UNKNOWN_THERE;
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
        return keyed ? WSFAN_ENDPOINT_KEY_UNKNOWN_HERE : WSFAN_ENDPOINT_MUTE;
    if (value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
        return keyed ? WSFAN_ENDPOINT_PLAIN_THERE : WSFAN_ENDPOINT_PLAIN_HERE;
    return value == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC ? WSFAN_ENDPOINT_KEY_UNKNOWN_HERE
                                                          : WSFAN_ENDPOINT_FOREIGN;
}

static void take(wsf_monitor *monitor, wsf_monitor_news *news, uint16_t event, uint32_t value,
                 bool keyed) {
    switch (event) {
    case ZMQ_EVENT_CONNECTED:
        news->reached = true;
        monitor->greeted = false;
        break;
    case ZMQ_EVENT_CONNECT_RETRIED:
        news->retries++;
        break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        monitor->greeted = true;
        news->found = WSFAN_ENDPOINT_INTRODUCED;
        break;
    case ZMQ_EVENT_DISCONNECTED: /* of a greeting that is none ZeroMQ tells nothing else */
        if (!monitor->greeted)
            news->found = WSFAN_ENDPOINT_MUTE;
        break;
    default:
        monitor->greeted = true;
        news->found = cause_of(event, value, keyed);
    }
}

wsf_monitor_news wsf_monitor_read(wsf_monitor *monitor, bool keyed) {
    wsf_monitor_news news = { .found = WSFAN_ENDPOINT_DIALLING };
    uint8_t data[sizeof(uint16_t) + sizeof(uint32_t)];
    char endpoint[256];
    int size;
    while (monitor->reader != NULL &&
           (size = zmq_recv(monitor->reader, data, sizeof data, ZMQ_DONTWAIT)) >= 0) {
        uint16_t event;
        uint32_t value;
        zmq_recv(monitor->reader, endpoint, sizeof endpoint, 0);
        if (size != sizeof data)
            continue;
        memcpy(&event, data, sizeof event);
        memcpy(&value, data + sizeof event, sizeof value);
        take(monitor, &news, event, value, keyed);
    }
    return news;
}
