/* Answers for what becomes of a position: nothing is recovered yet. */
#include "core/history/recover.h"

void wsf_recover_add(wsf_core *core, wsf_recovery *recovery, wsf_now now) {
    (void)now;
    recovery->verdict = recovery->position_size == 0   ? WSFAN_RECOVERY_NONE
                        : core->config.history_ms == 0 ? WSFAN_RECOVERY_OFF
                                                       : WSFAN_RECOVERY_UNKEPT;
    core->effects.recovered(core->effects.user, recovery);
}
