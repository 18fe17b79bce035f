SELECT event_id, day, lower(customer) AS customer, amount FROM usage.event WHERE amount >= 50
