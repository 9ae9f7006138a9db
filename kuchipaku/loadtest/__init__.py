"""A load test of running services: live sessions from processes of their own, judged by deadline.

Every frame has a time at which it should be there: when its audio was sent plus the latency that
is declared. It is judged against that and never against the first frame that came, so that a
service that starts late looks late. Sessions keep to their own clock and never wait for the
service ("coordinated omission").
"""
