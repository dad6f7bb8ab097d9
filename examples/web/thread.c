/* thread.c - a thread: its loop, the time limits of its connections, and the end of each turn.
 *
 * Every connection has one deadline, and stands in a wheel of one slot for each second. A deadline that moves on is
 * only noted: the connection is put into its new slot when its old one comes up. So traffic costs no
 * timer, and one timer serves all. */
#include "connection.h"

#include <signal.h>
#include <stdlib.h>

/* --------------------------------------------------------------------------------------- wheel */

static void unlink_slot(struct web_connection *connection) {
    if (connection->link == NULL)
        return;
    *connection->link = connection->next;
    if (connection->next != NULL)
        connection->next->link = connection->link;
    connection->link = NULL;
}

static void link_slot(struct web_connection *connection) {
    struct web_thread *thread = connection->thread;
    uint32_t away_s = connection->deadline_s - thread->now_s;
    connection->slot_s = thread->now_s + (away_s < WHEEL_SLOTS ? away_s : WHEEL_SLOTS - 1);
    struct web_connection **slot = &thread->wheel[connection->slot_s % WHEEL_SLOTS];
    connection->next = *slot;
    connection->link = slot;
    if (connection->next != NULL)
        connection->next->link = &connection->next;
    *slot = connection;
}

void connection_set_deadline(struct web_connection *connection, uint32_t seconds) {
    connection->deadline_s = connection->thread->now_s + seconds;
    if (connection->link != NULL && connection->slot_s <= connection->deadline_s)
        return;
    unlink_slot(connection);
    link_slot(connection);
}

/* The slot is taken away first: a connection that is not due goes into another one, or into this again. */
static void turn_wheel(struct web_thread *thread) {
    struct web_connection *due = thread->wheel[thread->now_s % WHEEL_SLOTS];
    thread->wheel[thread->now_s % WHEEL_SLOTS] = NULL;
    if (due != NULL)
        due->link = &due;
    while (due != NULL) {
        struct web_connection *connection = due;
        unlink_slot(connection);
        if (connection->deadline_s > thread->now_s) {
            link_slot(connection);
        } else {
            connection_set_deadline(connection, 1); /* if nothing else is decided */
            connection_expired(connection);
        }
    }
}

static void on_second(uv_timer_t *timer) {
    struct web_thread *thread = timer->data;
    uint32_t now_s = (uint32_t)(uv_now(&thread->loop) / 1000);
    while (thread->now_s < now_s) {
        thread->now_s++;
        turn_wheel(thread);
    }
}

/* ---------------------------------------------------------------------------- the end of a turn */

static void unlink_ready(struct web_connection *connection) {
    if (connection->ready_link == NULL)
        return;
    *connection->ready_link = connection->ready;
    if (connection->ready != NULL)
        connection->ready->ready_link = connection->ready_link;
    connection->ready_link = NULL;
}

void connection_ready(struct web_connection *connection) {
    struct web_thread *thread = connection->thread;
    if (connection->ready_link != NULL)
        return;
    connection->ready = thread->ready;
    connection->ready_link = &thread->ready;
    if (connection->ready != NULL)
        connection->ready->ready_link = &connection->ready;
    thread->ready = connection;
}

/* Runs before the loop sleeps. */
static void on_turn_end(uv_prepare_t *prepare) {
    struct web_thread *thread = prepare->data;
    while (thread->ready != NULL) {
        struct web_connection *connection = thread->ready;
        unlink_ready(connection);
        connection_visit(connection);
    }
}

void thread_forget(struct web_connection *connection) {
    unlink_slot(connection);
    unlink_ready(connection);
}

/* ------------------------------------------------------------------------------- open and close */

static struct web_frame *new_ping(void) {
    struct web_frame *frame = frame_alloc(FRAMES_CONTROL_BYTES_MAX);
    if (frame != NULL)
        frame->size = frames_write_control(frame->bytes, FRAMES_OP_PING, NULL, 0);
    return frame;
}

const char *web_open(struct web_thread **opened, const struct web_options *options) {
    struct web_thread *thread = calloc(1, sizeof *thread);
    if (thread == NULL || uv_loop_init(&thread->loop) != 0) {
        free(thread);
        return "out of memory";
    }
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes by write() */
    thread->options = *options;
    thread->now_s = (uint32_t)(uv_now(&thread->loop) / 1000);
    thread->second.data = thread->turn_end.data = thread;
    uv_timer_init(&thread->loop, &thread->second);
    uv_timer_start(&thread->second, on_second, 1000, 1000);
    uv_prepare_init(&thread->loop, &thread->turn_end);
    uv_prepare_start(&thread->turn_end, on_turn_end);
    thread->ping = new_ping();
    const char *problem = listener_open(&thread->listener, thread);
    if (problem == NULL && thread->ping == NULL)
        problem = "out of memory";
    if (problem != NULL)
        web_close(thread);
    else
        *opened = thread;
    return problem;
}

int web_port(const struct web_thread *thread) {
    return thread->listener.port;
}

struct web_counts *web_counts(struct web_thread *thread) {
    return &thread->counts;
}

uv_loop_t *web_loop(struct web_thread *thread) {
    return &thread->loop;
}

void web_run(struct web_thread *thread) {
    uv_run(&thread->loop, UV_RUN_DEFAULT);
}

void web_stop(struct web_thread *thread) {
    uv_stop(&thread->loop);
}

static void close_handle(uv_handle_t *handle, void *user) {
    (void)user;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void web_close(struct web_thread *thread) {
    if (thread == NULL)
        return;
    for (unsigned i = 0; i < WHEEL_SLOTS; i++)
        while (thread->wheel[i] != NULL) {
            transport_write(thread->wheel[i]); /* a last close frame or answer */
            connection_close(thread->wheel[i]);
        }
    uv_walk(&thread->loop, close_handle, NULL);
    while (uv_run(&thread->loop, UV_RUN_DEFAULT) != 0)
        continue; /* on_close() may have stopped it */
    uv_loop_close(&thread->loop);
    listener_close(&thread->listener);
    web_frame_release(thread->ping);
    free(thread);
}
