/* Why a message is not published: what its sender is answered, and what is counted. */
#ifndef ENTRY_FAULT_H
#define ENTRY_FAULT_H

#define FAULTS(X)                                                                                  \
    X(NONE, "ok", "")                                                                              \
    X(SUBJECT, "subject", "the subject ends in no chat.TOKEN, user.TOKEN or all")                  \
    X(HEADER, "header",                                                                            \
      "a header Wsfan-... is not known, there twice or wrong; or there are over 64 headers")       \
    X(ID, "id", "Nats-Msg-Id must be there once, of 1 to 128 visible characters")                  \
    X(REPLY, "reply", "the reply is to a subject of entries, or one that begins with $")           \
    X(SIZE, "size", "the payload is too large")                                                    \
    X(TEXT, "text", "the payload is not UTF-8, and there is no Wsfan-Binary: true")                \
    X(LEASE, "lease",                                                                              \
      "the payload must be an object of one member, ms, from 1000 to 3600000, or nothing")         \
    X(TAPS, "taps", "as many chats are tapped as may be")                                          \
    X(BUSY, "busy", "too much is under way here: try again later")                                 \
    X(WAIT, "wait", "the first message with this Nats-Msg-Id is under way")                        \
    X(REUSED, "reused", "this Nats-Msg-Id was used for another message")                           \
    X(FAILED, "failed", "the library refuses the message")

enum fault {
#define FAULT_NAME(name, code, text) FAULT_##name,
    FAULTS(FAULT_NAME)
#undef FAULT_NAME
        FAULTS_COUNT
};

extern const char *const fault_codes[FAULTS_COUNT];
extern const char *const fault_texts[FAULTS_COUNT];

#endif
