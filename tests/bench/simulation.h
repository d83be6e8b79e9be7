/* SPDX-License-Identifier: MIT */
/*
 * simulation.h - a simulated busy application, for measuring the stages that process its events:
 * one process, one GIL, an event loop, 15 threads that serve and sleep, 4 that compute. Threads
 * queue for the GIL, with CPython's switch interval and drop requests, and for CPUs that neighbours
 * occupy, so the events are consistent, as from a kernel, and the model never has to doubt them.
 * Deterministic.
 */
#ifndef GILSCOPE_BENCH_SIMULATION_H
#define GILSCOPE_BENCH_SIMULATION_H

#include "stream/stream.h"

#define SIMULATION_PID 41000

/* Declares the process and its threads, begins the window, and sends events in time order, `events`
 * in total including the end of the window. */
int simulate(uint64_t events, struct stream_sink sink);

#endif
