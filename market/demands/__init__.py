"""Technology wanted (需求): difficulty, target figures, budget, deadline."""
