/* An event in words. */
#ifndef WSF_LOOP_EVENT_H
#define WSF_LOOP_EVENT_H

#include <wsfan/diagnosis.h>

enum { WSF_EVENT_TEXT_SIZE = 512, WSF_EVENT_CODE_SIZE = 48 };

/* Sets level, code and text, the latter two in the caller's memory. */
void wsf_event_describe(wsfan_event *event, char code[WSF_EVENT_CODE_SIZE],
                        char text[WSF_EVENT_TEXT_SIZE]);

#endif
