/* Answers for carrying out, on the mesh thread, the commands that other threads post, and for passing on the
 * endpoints and keys that they set. */
#include "base/memory.h"
#include "mesh/keyring.h"
#include "mesh/state.h"

enum { COMMANDS_SHARE = 1024 }; /* commands before loops and sockets have their turn */

static void publish(wsf_mesh *mesh, wsfan_message *message, wsf_now at) {
    if (wsf_message_is_run(message))
        message = wsf_run_fit(message);
    wsf_core_publish(mesh->out.core, message, at);
}

static void carry_out(wsf_mesh *mesh, wsf_item *item, wsf_now at) {
    wsf_ticket *ticket = (wsf_ticket *)item;
    wsf_mesh_command *command = (wsf_mesh_command *)item;
    wsf_mesh_reply *reply = (wsf_mesh_reply *)item;
    switch ((wsf_mesh_kind)item->kind) {
    case WSF_MESH_PUBLISH:
        publish(mesh, (wsfan_message *)item, at);
        break;
    case WSF_MESH_JOIN:
        wsf_core_join(mesh->out.core, ticket, at);
        break;
    case WSF_MESH_LEAVE:
        wsf_core_leave(mesh->out.core, ticket->hash, ticket->loop, at);
        wsf_ticket_free(ticket);
        break;
    case WSF_MESH_ADD_LOOP:
        wsf_mesh_effects_add_loop(&mesh->out, command->loop, command->inbox);
        wsf_free(command);
        break;
    case WSF_MESH_REMOVE_LOOP:
        wsf_mesh_effects_remove_loop(&mesh->out, command->loop, at);
        wsf_free(command);
        break;
    case WSF_MESH_DRAIN:
        wsf_core_drain(mesh->out.core, command->ms, wsf_mesh_now());
        wsf_free(command);
        break;
    case WSF_MESH_QUIET:
        wsf_core_quiet(mesh->out.core);
        break;
    case WSF_MESH_LOOPS_DONE:
        wsf_core_loops_done(mesh->out.core, wsf_receipt_of_loops_item(item));
        wsf_receipt_unref(wsf_receipt_of_loops_item(item));
        break;
    case WSF_MESH_ASK:
        wsf_core_request(mesh->out.core, (wsf_request *)item, wsf_mesh_now());
        break;
    case WSF_MESH_THROUGH:
        wsf_core_call_through(mesh->out.core, (wsf_call *)item);
        break;
    case WSF_MESH_REPLY:
        wsf_core_reply(mesh->out.core, reply->token, reply->payload, reply->payload_size);
        wsf_free(reply);
        break;
    case WSF_MESH_PRESENT:
        wsf_core_present(mesh->out.core, (wsf_presence_session *)item, wsf_mesh_now());
        break;
    case WSF_MESH_ABSENT:
        wsf_core_absent(mesh->out.core, wsf_presence_session_of_end(item), wsf_mesh_now());
        break;
    case WSF_MESH_EVENTS_DONE:
        wsf_core_events_done(mesh->out.core, ((wsf_presence_events *)item)->loop);
        wsf_free(item);
        break;
    case WSF_MESH_RECOVER:
        wsf_core_recover(mesh->out.core, (wsf_recovery *)item, wsf_mesh_now());
        break;
    case WSF_MESH_STOP:
        mesh->closing = true;
        break;
    }
}

static bool may_be_peer(void *user, uint32_t identity) {
    const wsf_keys *keys = user;
    for (uint32_t i = 0; i < keys->count; i++)
        if (wsf_hash_identity(keys->allowed[i].text) == identity)
            return true;
    return false;
}

static void take_keys(wsf_mesh *mesh) {
    wsf_keys *keys = mesh->out.carrier != NULL ? atomic_exchange(&mesh->keys_next, NULL) : NULL;
    if (keys == NULL)
        return;
    mesh->out.carrier->calls->set_keys(mesh->out.carrier, keys);
    wsf_keyring_free_keys(mesh->keys);
    mesh->keys = keys;
    wsf_core_expel(mesh->out.core, may_be_peer, keys);
}

void wsf_mesh_take_settings(wsf_mesh *mesh) {
    if (!atomic_exchange(&mesh->named_any, false))
        return;
    take_keys(mesh);
    bool names_known = atomic_load(&mesh->names_known);
    for (unsigned i = 0; i < WSF_DIALER_SOURCES_MAX; i++) {
        named_set *set = atomic_exchange(&mesh->named[i], NULL);
        if (set != NULL)
            wsf_core_name_endpoints(mesh->out.core, i, set->endpoints, set->count, wsf_mesh_now());
        wsf_free(set);
    }
    if (atomic_exchange(&mesh->names_told, false))
        wsf_core_set_names(mesh->out.core, atomic_exchange(&mesh->names_next, NULL),
                           wsf_mesh_now());
    if (names_known)
        wsf_core_names_known(mesh->out.core);
}

/* For how many bounded items of the queue the item stands. */
static uint32_t bounded_count(const wsf_item *item) {
    if (item->kind == WSF_MESH_PUBLISH)
        return ((const wsfan_message *)item)->count;
    return item->kind == WSF_MESH_ASK || item->kind == WSF_MESH_REPLY;
}

bool wsf_mesh_can_handle(wsf_mesh *mesh) {
    if (wsf_core_congested(mesh->out.core))
        return false;
    if (mesh->todo == NULL)
        mesh->todo = wsf_queue_take(&mesh->mailbox.queue, NULL, NULL);
    return mesh->todo != NULL;
}

bool wsf_mesh_handle_commands(wsf_mesh *mesh) {
    uint64_t released_count = 0;
    uint64_t released_bytes = 0;
    wsf_now at = wsf_mesh_now();
    uint32_t count;
    for (uint32_t i = 0; i < COMMANDS_SHARE && wsf_mesh_can_handle(mesh);
         i += count > 0 ? count : 1) {
        wsf_item *item = mesh->todo;
        mesh->todo = item->next;
        count = bounded_count(item);
        if (count > 0) {
            released_count += count;
            released_bytes += item->bytes;
        }
        carry_out(mesh, item, at);
    }
    wsf_mesh_effects_flush(&mesh->out);
    wsf_queue_release(&mesh->mailbox.queue, released_count, released_bytes);
    return mesh->todo != NULL && !wsf_core_congested(mesh->out.core);
}
