"""Technology contracts (技术合同) and their register."""
