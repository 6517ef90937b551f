"""All topics, with the industry that each belongs to."""

from __future__ import annotations

from web.demo.content.grammar import Topic
from web.demo.content.topics import (
    digital,
    electronics,
    fashion,
    green,
    health,
    machine_tools,
    pumps,
    vehicles,
)

_GREEN = {"green-ocean": "agri_marine", "green-material": "new_materials"}

TOPICS: tuple[tuple[str, Topic], ...] = (
    *(("pumps_motors", topic) for topic in pumps.TOPICS),
    *(("machine_tools", topic) for topic in machine_tools.TOPICS),
    *(("auto_parts", topic) for topic in vehicles.TOPICS),
    *(("footwear", topic) for topic in fashion.TOPICS),
    *(("laser_electronics", topic) for topic in electronics.TOPICS),
    *(("medical", topic) for topic in health.TOPICS),
    *((_GREEN.get(topic.key, "environment"), topic) for topic in green.TOPICS),
    *(("digital", topic) for topic in digital.TOPICS),
)
"""(industry code, topic)."""
