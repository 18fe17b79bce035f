SELECT customer, coalesce(country, 'nowhere') AS country, nickname FROM app.customers
