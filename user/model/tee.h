/* SPDX-License-Identifier: MIT */
/*
 * tee.h - tells two sinks what the model tells, `first` before `second`. Either may leave callbacks
 * out. Owns nothing. The objects' `data` belongs to one of them; the other finds its own by
 * thread.index and the like.
 */
#ifndef GILSCOPE_MODEL_TEE_H
#define GILSCOPE_MODEL_TEE_H

#include "model/model.h"

struct model_tee {
	struct model_sink first, second;
};
struct model_sink model_tee_sink(struct model_tee *tee);

#endif
