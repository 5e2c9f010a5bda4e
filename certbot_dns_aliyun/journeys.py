"""Requests on their way: how many at once, how far each one is, and until when it may take.

A time-out is for one silence. Who answers drop by drop, and for ever, is never silent for long; so
each request has a deadline, too, at which its connection is shut down from outside, whatever the
peer is sending.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator

from certbot_dns_aliyun.unanswered import NotSent, NotSentError

#: Connections at the most; requests beyond it wait for one of them to be over.
CONNECTIONS = 10

#: Seconds that a request waits for its turn; one before it takes half a minute at the worst.
_LONGEST_WAIT = 120.0
#: Seconds between two looks at the deadlines.
_LOOK = 0.25


class Journey:
    """One request on its way.

    :ivar proxy: the environment variable that names the proxy; empty if there is none
    :ivar has_met_proxy: whether there was a connection to a proxy
    :ivar is_through: whether there was a connection to the host itself, a proxy in between or not
    :ivar is_sent: whether some of the request may have been sent
    :ivar is_cut_off: whether it took longer than it may
    :ivar seconds_for_reply: how long it may take from when it is sent
    """

    def __init__(self, seconds: float) -> None:
        self.proxy = ""
        self.has_met_proxy = False
        self.is_through = False
        self.is_sent = False
        self.is_cut_off = False
        self.seconds_for_reply = 0.0
        self._until = time.monotonic() + seconds
        self._latest = float("inf")
        self._lock = threading.Lock()
        self._line: socket.socket | None = None

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline."""
        return min(self._until, self._latest) - time.monotonic()

    def allow(self, seconds: float) -> None:
        """Set the deadline, from now."""
        self._until = time.monotonic() + seconds

    def send(self) -> None:
        """Note that the first byte may leave now; time counts anew from here."""
        self.is_sent = True
        self.allow(self.seconds_for_reply)

    def hurry(self, seconds: float) -> None:
        """Take no longer than so many seconds from now, however far it is."""
        self._latest = time.monotonic() + seconds

    def follow(self, file: int) -> None:
        """Note the connection's file.

        A copy of it: whatever TLS is wrapped around the socket, and whoever closes that, this one
        is the same connection and no other.
        """
        self.end()
        with self._lock:
            self._line = socket.socket(fileno=os.dup(file))
        if self.is_cut_off:  # while the name was looked up
            self.cut_off()

    def cut_off(self) -> None:
        """Shut the connection down; who reads from it or writes to it gets an error at once."""
        self.is_cut_off = True
        with self._lock, contextlib.suppress(OSError):  # the peer was faster
            if self._line:
                self._line.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Let go of the connection."""
        with self._lock:
            if self._line:
                self._line.close()
            self._line = None


class Journeys:
    """All requests of this process that are on their way or wait for their turn."""

    def __init__(self) -> None:
        self._here = threading.local()
        self._lock = threading.RLock()
        self._has_free = threading.Condition(self._lock)
        self._look = threading.Condition(self._lock)
        self._waiting: set[Journey] = set()
        self._under_way: set[Journey] = set()
        self._watch: threading.Thread | None = None

    @property
    def here(self) -> Journey:
        """The one of the thread that asks."""
        journey: Journey = self._here.journey
        return journey

    @contextlib.contextmanager
    def one(self, connecting: float) -> Iterator[Journey]:
        """Wait for a turn; the context is one request's way from its connection to its reply.

        :param connecting: seconds within which there must be a connection, once it has its turn
        :raises NotSentError: if its turn never came
        """
        journey = Journey(_LONGEST_WAIT)
        self._wait_for_turn(journey)
        try:
            self._here.journey = journey
            journey.allow(connecting)
            self._keep_watch()
            yield journey
        finally:
            with self._lock:
                self._under_way.remove(journey)
                self._has_free.notify()
            journey.end()

    def hurry(self, seconds: float) -> None:
        """Give those on their way so many seconds at the most, and no turn to those that wait."""
        with self._lock:
            for journey in self._waiting:
                journey.hurry(0.0)
            for journey in self._under_way:
                journey.hurry(seconds)
            self._has_free.notify_all()

    def _wait_for_turn(self, journey: Journey) -> None:
        with self._lock:
            self._waiting.add(journey)
            try:
                while len(self._under_way) >= CONNECTIONS:
                    if journey.seconds_left <= 0:
                        raise NotSentError(NotSent.NO_TURN)
                    self._has_free.wait(max(0.0, journey.seconds_left))
                self._under_way.add(journey)
            finally:
                self._waiting.remove(journey)

    def _keep_watch(self) -> None:
        with self._lock:
            if self._watch is None:
                watch = threading.Thread(target=self._cut_off, name="dns-aliyun-watch", daemon=True)
                with contextlib.suppress(RuntimeError):  # the system's limit; the next one tries
                    watch.start()
                    self._watch = watch

    def _cut_off(self) -> None:
        """Cut off what is over its time, as long as anything is under way."""
        with self._lock:
            while self._under_way:
                for journey in self._under_way:
                    if journey.seconds_left <= 0 and not journey.is_cut_off:
                        journey.cut_off()
                self._look.wait(_LOOK)
            self._watch = None


JOURNEYS = Journeys()
