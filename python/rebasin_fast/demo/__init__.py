"""The demo: two small networks on real data, matched and averaged."""

from rebasin_fast.demo.run import METRICS, DemoResult, run_demo

__all__ = ["METRICS", "DemoResult", "run_demo"]
