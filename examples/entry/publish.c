/* Sends one message into a chat, with libnats, and says whether everyone has it:
 *   cc publish.c -lnats && ./a.out nats://127.0.0.1:4222 lobby 'hello'
 * A chat whose name has other characters than A-Z, a-z, 0-9, _ and - needs the token that docs/entry.md tells. */
#include <nats/nats.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    natsConnection *nats = NULL;
    natsMsg *reply = NULL;
    char subject[256];
    if (argc != 4) {
        fprintf(stderr, "usage: publish URL CHAT TEXT\n");
        return 2;
    }
    snprintf(subject, sizeof subject, "wsfan.wsfan.in.chat.%s", argv[2]);
    natsStatus s = natsConnection_ConnectTo(&nats, argv[1]);
    if (s == NATS_OK)
        s = natsConnection_RequestString(&reply, nats, subject, argv[3], 5000);
    if (s == NATS_OK)
        printf("%.*s\n", natsMsg_GetDataLength(reply), natsMsg_GetData(reply));
    else
        fprintf(stderr, "%s\n", natsStatus_GetText(s));
    int complete = s == NATS_OK && strstr(natsMsg_GetData(reply), "\"complete\":true") != NULL;
    natsMsg_Destroy(reply);
    natsConnection_Destroy(nats);
    nats_Close();
    return complete ? 0 : 1;
}
