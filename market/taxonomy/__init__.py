"""The city's industries and the regions, as data that administrators edit."""
