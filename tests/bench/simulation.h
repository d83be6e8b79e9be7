/* SPDX-License-Identifier: MIT */
/*
 * simulation.h - a made-up busy application, for measuring what becomes of its events: one process,
 * one GIL, an event loop, 15 threads that serve and sleep, 4 that compute. Threads really queue for
 * the GIL here, with CPython's switch interval and drop requests, and for CPUs that neighbours
 * have, so the events fit together as a kernel would tell them and the model is never in doubt. The
 * same everywhere and every time.
 */
#ifndef GILSCOPE_BENCH_SIMULATION_H
#define GILSCOPE_BENCH_SIMULATION_H

#include "stream/stream.h"

#define SIMULATION_PID 41000

/* Declares the process and its threads, begins the window, sends events in time order until there
 * are `events` in all, the window's end included. */
int simulate(uint64_t events, struct stream_sink sink);

#endif
